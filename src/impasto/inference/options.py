"""User options of photo → painting translation."""

from dataclasses import dataclass

from impasto.errors import ImpastoError

#: Range of the brush size.
FINEST, BROADEST = 0.5, 4.0


@dataclass(frozen=True, slots=True)
class PaintOptions:
    """How photos are painted.

    Attributes:
        strength: blend from 0 (the photo) to 1 (the painting).
        brush: relative size of the strokes, 0.5 to 4; 2 doubles it.
        keep_colour: transfer the photo's colours to the painting.
        mood: light and palette, from :meth:`impasto.inference.translator.Translator.mood`; None uses those of the
            training painting nearest to the photo. Only some styles have moods.

    Raises ImpastoError for a value out of range.
    """

    strength: float = 1.0
    brush: float = 1.0
    keep_colour: bool = False
    mood: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ImpastoError(f"strength = {self.strength}: choose 0 (the photo) to 1 (the painting).")
        if not FINEST <= self.brush <= BROADEST:
            raise ImpastoError(f"brush = {self.brush}: choose {FINEST} (fine strokes) to {BROADEST:g} (broad strokes).")


DEFAULT = PaintOptions()
