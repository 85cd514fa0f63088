"""Results of an evaluation. Every number comes with its network and the numbers of images."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, PlainSerializer

from impasto.notebook import Displayed

#: The network whose Fréchet distance is the FID of the literature.
FID_NETWORK = "inception-2015"
#: The metric by which a training chooses its best style, and a comparison the best run; lower is better.
DECIDING_METRIC = "KID"

#: A cosine distance, rounded where it is written: beyond these decimals are rounding errors of the features.
Distance = Annotated[float, PlainSerializer(lambda distance: round(distance, 7), when_used="json")]


class Value(BaseModel, frozen=True):
    """A number with its uncertainty."""

    value: float
    error: float | None = None  #: standard error
    interval: tuple[float, float] | None = None  #: 95 % confidence
    floor: float | None = None  #: real v real baseline: one half of the reals against the other


class Scores(BaseModel, frozen=True):
    """Metrics of fakes against reals through one feature network."""

    network: str
    size: int  #: side in pixels of the images compared
    fakes: int
    reals: int
    #: Numbers of fakes and reals, evenly spaced, that all metrics but the Fréchet distance compare; None: all.
    sample: tuple[int, int] | None = None
    halves: tuple[int, int] | None = None  #: numbers of images in the two halves of the floor; of a sample, its halves
    values: dict[str, Value]  #: by metric

    @property
    def counts(self) -> str:
        """Numbers of fakes and reals: ``256 v 270``, with those of a sample."""
        all_of_them = f"{self.fakes:,} v {self.reals:,}"
        if self.sample is None:
            return all_of_them
        return f"{all_of_them}, sample of {self.sample[0]:,} v {self.sample[1]:,}"

    def label(self, metric: str) -> str:
        """Return a metric's name with its network: ``KID[efficientnet-lite0]``; FD of the FID network is FID."""
        name = "FID" if metric == "FD" and self.network.startswith(FID_NETWORK) else metric
        return f"{name}[{self.network}]"

    def row(self) -> dict[str, float]:
        """The values as columns of a log: ``KID[efficientnet-lite0] 256 v 270``."""
        return {f"{self.label(name)} {self.counts}": each.value for name, each in self.values.items()}


class ImageSetSummary(BaseModel, frozen=True):
    """Summary of one set of images in an evaluation."""

    name: str  #: path or name, as given
    domains: str = ""  #: of a style, as in "photos → paintings"; empty for images in files
    there: int  #: images available, or generated
    scored: int  #: images compared
    duplicates: int = 0  #: exact duplicates among those
    left_out: list[tuple[str, str]] = []  #: unreadable files: name and reason


class NearestReals(BaseModel, frozen=True):
    """A fake and its nearest real images, nearest first, with their cosine distances."""

    fake: str
    reals: list[str]
    distances: list[Distance]


class Memorisation(BaseModel, frozen=True):
    """Distances of the fakes to their nearest reals, and of the reals to each other."""

    network: str
    fakes: list[Distance]  #: distance of each fake to its nearest real: 1 − |cosine| of the features
    reals: list[Distance]  #: distance of each real to its nearest other real
    suspects: list[NearestReals]  #: the fakes with the smallest distances, nearest first

    @property
    def threshold(self) -> float:
        """The 5th percentile of the distances between reals."""
        ordered = sorted(self.reals)
        return ordered[len(ordered) // 20]


class Content(BaseModel, frozen=True):
    """Content preservation: means of the pair metrics over photos and their paintings."""

    pairs: int
    size: int
    values: dict[str, Value]  #: by metric: "SSIM", "ST-LPIPS[vgg16]"


class Evaluation(Displayed, BaseModel, frozen=True):
    """``evaluation.json``: the result of ``impasto evaluate``."""

    impasto: str
    created: datetime
    fakes: ImageSetSummary
    reals: ImageSetSummary
    scores: list[Scores]  #: one per network
    scores_reverse: list[Scores] = []  #: of a style's reverse direction (painting → photo)
    unseen: Scores | None = None  #: against held-out reals, through the first network
    copies: Memorisation
    content: Content | None = None
    checkerboard: Value | None = None  #: in dB; its floor is the reals'; None below 32 pixels
