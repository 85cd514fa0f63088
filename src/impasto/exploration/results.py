"""What an exploration finds, in numbers: what ``exploration.json`` holds and the page tells."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from impasto.data.inventory import Inventory
from impasto.metrics.results import Value

#: A box as shares of a picture's width and height: left, top, right, bottom.
Shares = tuple[float, float, float, float]


class Colour(BaseModel, frozen=True):
    """A colour of a palette, and how much of the picture or set is of it."""

    hex: str  #: ``#rrggbb`` in sRGB
    share: float


class ImageStatistics(BaseModel, frozen=True):
    """One picture in numbers."""

    name: str
    brightness: float  #: mean lightness L*, 0…100
    contrast: float  #: standard deviation of L*
    colourfulness: float  #: Hasler & Süsstrunk 2003: 0 for grey, about 60 for lively
    sharpness: float  #: mean strength of the finest detail, in levels of L*
    palette: list[Colour] = []  #: of those in the sample only: the largest share first


class Spread(BaseModel, frozen=True):
    """How a measure lies over a set: its 5th, 50th and 95th percentile."""

    low: float
    median: float
    high: float


class Framed(BaseModel, frozen=True):
    """A picture with a border, mount or frame, and where the picture inside it is."""

    name: str
    box: Shares


class Watermark(BaseModel, frozen=True):
    """Something that is suspected not to belong to the picture."""

    name: str
    kind: Literal["watermark", "signature", "seal"]
    box: Shares
    why: str  #: what spoke for it, in a few plain words


class Common(BaseModel, frozen=True):
    """A mark that many pictures of a set have at the same place."""

    box: Shares  #: of the middle square of each
    why: str  #: what spoke for it, in a few plain words


#: The share of the height or width that a frame has to take on some side to be more than a thin edge.
THIN = 0.02


class Group(BaseModel, frozen=True):
    """Pictures that are alike."""

    size: int
    members: list[str]  #: the most typical first


class Domain(BaseModel, frozen=True):
    """One set of pictures: paintings or photos.

    ``looks`` are of all pictures. What compares pictures with each other is of a sample, evenly spread over the set;
    frames and marks are looked for in another, of the first kind of pictures if there are few.
    """

    role: Literal["paintings", "photos"]
    inventory: Inventory
    looks: list[ImageStatistics]
    spreads: dict[str, Spread]  #: by the names of the numbers of :class:`ImageStatistics`
    histogram: list[list[float]]  #: 3 × 256, each channel's shares of the pixels by level
    spectrum: list[float]  #: mean power in dB by spatial frequency, from 1 cycle per picture to half the side
    palette: list[Colour]
    closely: int  #: how many were looked at for frames and marks
    framed: list[Framed]
    marks: list[Watermark]
    common: list[Common] = []  #: found in all of the sample at once
    sample: list[str]  #: the names of those that were compared with each other, in the order of the set
    alike: dict[str, float]  #: mean similarity of two, -1…1, by what saw them: "pixels", "efficientnet-lite0"
    typical: list[str]
    untypical: list[str]
    groups: list[Group]

    @property
    def count(self) -> int:
        return len(self.looks)

    @property
    def thin_edges(self) -> int:
        """How many of the frames take no more than :data:`THIN` of the picture on any side."""
        boxes = (each.box for each in self.framed)
        return sum(max(left, top, 1 - right, 1 - bottom) < THIN for left, top, right, bottom in boxes)


class Gap(BaseModel, frozen=True):
    """How far photos are from paintings."""

    network: str
    counts: str  #: how many of each: "1,000 v 300"
    distance: Value  #: KID; its floor that of one half of the paintings against the other
    words: list[str]  #: where they differ most, a sentence each, the greatest difference first


class Advice(BaseModel, frozen=True):
    """Something to do before or in a training, with its reason."""

    what: str  #: one short imperative sentence
    why: str  #: with the number that it follows from
    command: str = ""  #: what to type, if it is a command


class Exploration(BaseModel, frozen=True):
    """All that ``impasto explore`` found."""

    impasto: str
    created: datetime
    size: int  #: side of the squares that were measured, in pixels
    paintings: Domain
    photos: Domain | None = None
    gap: Gap | None = None
    advice: list[Advice]
    seconds: float  #: that the exploration took

    @property
    def domains(self) -> list[Domain]:
        return [self.paintings] if self.photos is None else [self.paintings, self.photos]
