"""How a photo is painted, as far as a person chooses."""

from dataclasses import dataclass

from impasto.errors import ImpastoError

#: The finest and the broadest brush.
FINEST, BROADEST = 0.5, 4.0


@dataclass(frozen=True, slots=True)
class PaintOptions:
    """How much of the painting is seen, how broad its strokes are, and in whose colours.

    Attributes:
        strength: from 0, the photo, to 1, the painting.
        brush: the size of the strokes against the picture: 2 are twice as large as those of 1, from 0.5 to 4.
        keep_colour: paint in the photo's colours.
        mood: the light and palette to paint in, as :class:`impasto.inference.stroke_translator.Sketcher` makes it; None is that of the
            training painting nearest to the photo. Only some styles have moods.

    Raises ImpastoError for a number out of range.
    """

    strength: float = 1.0
    brush: float = 1.0
    keep_colour: bool = False
    mood: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ImpastoError(f"strength = {self.strength}: it is from 0, the photo, to 1, the painting.")
        if not FINEST <= self.brush <= BROADEST:
            raise ImpastoError(f"brush = {self.brush}: it is from {FINEST}, fine strokes, to {BROADEST:g}, broad ones.")


#: The painting itself, as the style has learned it.
DEFAULT = PaintOptions()
