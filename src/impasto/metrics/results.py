"""What was measured of some pictures against others, and how it is said: never without the network and the counts."""

from datetime import datetime

from pydantic import BaseModel

#: The only network whose Fréchet distance is called FID, as everyone's tables mean it.
FID_NETWORK = "inception-2015"
#: What each measure tells, and whether more or less of it is better.
MEANINGS = {
    "KID": "kernel distance of the features; no bias by small counts; lower is better",
    "FD": "Fréchet distance of the features; falls with the counts, so compare equal counts only; lower is better",
    "MiFID": "Fréchet distance, divided by d where d is below 0.1, as the competition computes it; lower is better",
    "d": "mean cosine distance of a fake to the nearest real picture; near 0 for copies",
    "precision": "share of the fakes that lie among the reals: quality",
    "recall": "share of the reals that lie among the fakes: variety",
    "density": "how many neighbourhoods of reals a fake lies in, 1 for reals: quality, steadier than precision",
    "coverage": "share of the reals with a fake in their neighbourhood: variety, steadier than recall",
    "IS": "how sure, and how varied, a classifier is of the fakes; higher is better, for photos of things",
    "checkerboard": "how far a pattern of every second or fourth pixel, as up-sampling leaves it, stands out of the fakes' "
    "spectrum, in dB; about 0 where there is none; lower is better",
}


class Value(BaseModel, frozen=True):
    """A measured number, and how far it can be believed."""

    value: float
    error: float | None = None  #: standard error
    interval: tuple[float, float] | None = None  #: 95 %
    floor: float | None = None  #: the same between one half of the reals and the other


class Scores(BaseModel, frozen=True):
    """Measures of fakes against reals through one feature network."""

    network: str
    size: int  #: side in pixels at which both were compared
    fakes: int
    reals: int
    halves: tuple[int, int] | None = None  #: the counts of which the floors are
    values: dict[str, Value]  #: by the names of :data:`MEANINGS`

    @property
    def counts(self) -> str:
        """How many fakes against how many reals."""
        return f"{self.fakes:,} v {self.reals:,}"

    def label(self, measure: str) -> str:
        """A measure's full name: ``KID[efficientnet-lite0]``; ``FID[inception-2015]`` for that network alone."""
        name = "FID" if measure == "FD" and self.network.startswith(FID_NETWORK) else measure
        return f"{name}[{self.network}]"

    def row(self) -> dict[str, float]:
        """The numbers for a log, by names that say all: ``KID[efficientnet-lite0] 256 v 270``."""
        return {f"{self.label(name)} {self.counts}": each.value for name, each in self.values.items()}


class Side(BaseModel, frozen=True):
    """One side of an evaluation: what pictures they were."""

    name: str  #: as the user wrote it
    domains: str = ""  #: what a style turns into what; empty for pictures that were there
    there: int  #: pictures there, or made
    scored: int  #: how many of them were looked at
    duplicates: int = 0  #: exact copies among those
    left_out: list[tuple[str, str]] = []  #: names of what cannot be read, and why


class Copy(BaseModel, frozen=True):
    """A fake and the real pictures that it is nearest to, the nearest first, with their cosine distances."""

    fake: str
    reals: list[str]
    distances: list[float]


class Copies(BaseModel, frozen=True):
    """Whether fakes copy: their distances to the nearest real, beside those of the reals to each other."""

    network: str
    fakes: list[float]  #: of each fake to the nearest real picture: 1 − |cosine| of the features
    reals: list[float]  #: of each real to the nearest other real
    suspects: list[Copy]  #: the fakes that are nearest, the most suspicious first

    @property
    def threshold(self) -> float:
        """The distance that only one real picture in twenty is below, to its nearest other."""
        ordered = sorted(self.reals)
        return ordered[len(ordered) // 20]


class Content(BaseModel, frozen=True):
    """How much of a photo its painting keeps, as means over the pairs."""

    pairs: int
    size: int
    values: dict[str, Value]  #: "SSIM" (1 for the same) and "ST-LPIPS[vgg16]" (0 for the same)


class Evaluation(BaseModel, frozen=True):
    """All that ``impasto evaluate`` found."""

    impasto: str
    created: datetime
    fakes: Side
    reals: Side
    scores: list[Scores]  #: one a network
    scores_reverse: list[Scores] = []  #: of a style's reverse direction: photos made of paintings, against photos
    unseen: Scores | None = None  #: against real pictures that were held out of a training, through the first network
    copies: Copies
    content: Content | None = None
    checkerboard: Value | None = None  #: of the fakes' pixels, and as its floor of the reals'; None below 32 pixels
