"""Results of an exploration: the content of ``exploration.json``, from which the report is made."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel
from pydantic.dataclasses import dataclass

from impasto.data.inventory import Inventory
from impasto.data.pixel_store import is_pack
from impasto.metrics.results import Value
from impasto.notebook import Displayed

#: A box in fractions of an image's width and height: left, top, right, bottom.
RelativeBox = tuple[float, float, float, float]
#: Fraction of the height or width that a frame takes on some side; below it the frame is only a thin edge.
THIN_FRAME = 0.02


class Colour(BaseModel, frozen=True):
    """A colour of a palette, and the fraction of the pixels it stands for."""

    hex: str  #: ``#rrggbb`` in sRGB
    share: float


@dataclass(frozen=True, slots=True)
class ImageStatistics:
    """Statistics of one image, in a fraction of the memory of a BaseModel."""

    name: str
    brightness: float  #: mean lightness L*, 0…100
    contrast: float  #: standard deviation of L*
    colourfulness: float  #: Hasler & Süsstrunk 2003: 0 for grey, about 60 for highly colourful
    sharpness: float  #: mean strength of the finest detail, in units of L*
    palette: tuple[Colour, ...] = ()  #: largest share first; only of images in the sample


class Percentiles(BaseModel, frozen=True):
    """Distribution of a statistic over a data set: its 5th, 50th and 95th percentile."""

    low: float
    median: float
    high: float


class DetectedFrame(BaseModel, frozen=True):
    """An image with a border, mount or frame, and the box inside it."""

    name: str
    box: RelativeBox


class Watermark(BaseModel, frozen=True):
    """A suspected watermark, signature or seal."""

    name: str
    kind: Literal["watermark", "signature", "seal"]
    box: RelativeBox
    reason: str  #: what was detected


class CommonWatermark(BaseModel, frozen=True):
    """A mark that many images have at the same place."""

    box: RelativeBox  #: in the centre square of each image
    reason: str  #: what was detected


class Cluster(BaseModel, frozen=True):
    """Similar images."""

    size: int
    members: list[str]  #: most central first


class Domain(BaseModel, frozen=True):
    """Results for one domain: paintings or photos.

    Attributes:
        role: "paintings" or "photos".
        inventory: images and left-out files of the source.
        at_address: whether the source is images at an address, which only workers of a cluster read.
        statistics: of every image.
        percentiles: by the names of the statistics in :class:`ImageStatistics`.
        histogram: 3 × 256, fraction of the pixels at each level, by channel.
        spectrum: mean power in dB by spatial frequency, from 1 cycle per image to half the side.
        palette: colours of the data set.
        inspected: number of images, evenly spaced, that were searched for frames and watermarks.
        frames: found in the inspected images.
        watermarks: found in the inspected images.
        common_watermarks: found across the sample.
        sample: names of the evenly spaced images that were compared with each other, in order.
        mean_similarity: mean cosine similarity of two images, −1…1, by features: "pixels", "efficientnet-lite0".
        typical: names, most typical first.
        outliers: names, least typical first.
        clusters: of similar images, largest first.
    """

    role: Literal["paintings", "photos"]
    inventory: Inventory
    at_address: bool = False
    statistics: list[ImageStatistics]
    percentiles: dict[str, Percentiles]
    histogram: list[list[float]]
    spectrum: list[float]
    palette: list[Colour]
    inspected: int
    frames: list[DetectedFrame]
    watermarks: list[Watermark]
    common_watermarks: list[CommonWatermark] = []
    sample: list[str]
    mean_similarity: dict[str, float]
    typical: list[str]
    outliers: list[str]
    clusters: list[Cluster]

    @property
    def is_pack(self) -> bool:
        """Whether the source is a pack."""
        return not self.at_address and is_pack(self.inventory.source)

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.statistics)

    @property
    def thin_frames(self) -> int:
        """Number of frames that take less than :data:`THIN_FRAME` of the image on every side."""
        boxes = (each.box for each in self.frames)
        return sum(max(left, top, 1 - right, 1 - bottom) < THIN_FRAME for left, top, right, bottom in boxes)


class DomainGap(BaseModel, frozen=True):
    """Distance between photos and paintings."""

    network: str
    counts: str  #: number of photos and of paintings: "1,000 v 300"
    distance: Value  #: KID; its floor is that of one half of the paintings against the other
    differences: list[str]  #: sentences, largest difference first


class Recommendation(BaseModel, frozen=True):
    """Something to do before or in training."""

    action: str  #: one short imperative sentence
    reason: str  #: with the numbers it follows from
    command: str = ""  #: to run, if it is a command


class Exploration(Displayed, BaseModel, frozen=True):
    """Results of ``impasto explore``."""

    impasto: str  #: version
    created: datetime
    size: int  #: side in pixels of the squares that were measured
    paintings: Domain
    photos: Domain | None = None
    gap: DomainGap | None = None
    recommendations: list[Recommendation]
    seconds: float  #: duration of the exploration
    files: list[str] | None = None  #: names of the report's files, once all are written

    @property
    def domains(self) -> list[Domain]:
        """The paintings, and the photos if there are any."""
        return [self.paintings] if self.photos is None else [self.paintings, self.photos]
