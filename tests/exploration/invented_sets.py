"""Sets of pictures that nobody has to look at, with no flaw but those that are asked for."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from impasto.data.survey import Picture, Survey
from impasto.exploration.findings import Advice, Domain, Framed, Looks, Spread

MEASURES = {"brightness": 50.0, "contrast": 20.0, "colourfulness": 30.0, "sharpness": 5.0}


def domain(
    sizes: Sequence[tuple[int, int]],
    role: Literal["paintings", "photos"] = "paintings",
    *,
    looks: dict[str, dict[str, float]] | None = None,
    survey: dict[str, Any] | None = None,
    **found: Any,
) -> Domain:
    """A set of pictures of these widths and heights, named 0.jpg and on, without a flaw but those given."""
    pictures = [
        Picture(name=f"{i}.jpg", format="JPEG", mode="RGB", width=width, height=height, digest=str(i))
        for i, (width, height) in enumerate(sizes)
    ]
    values: dict[str, Any] = {
        "role": role,
        "survey": Survey(source=f"my {role}", size=128, pictures=pictures, **(survey or {})),
        "looks": [
            Looks.model_validate({"name": each.name} | MEASURES | (looks or {}).get(each.name, {})) for each in pictures
        ],
        "spreads": {name: Spread(low=value - 2, median=value, high=value + 2) for name, value in MEASURES.items()},
        "histogram": [],
        "spectrum": [],
        "palette": [],
        "closely": len(sizes),
        "framed": [],
        "marks": [],
        "sample": [],
        "alike": {},
        "typical": [],
        "untypical": [],
        "groups": [],
    }
    return Domain(**values | found)


def squares(count: int, side: int = 256) -> list[tuple[int, int]]:
    return [(side, side)] * count


def framed(names: Iterable[int]) -> list[Framed]:
    return [Framed(name=f"{i}.jpg", box=(0.1, 0.1, 0.9, 0.9)) for i in names]


def about(advice: Iterable[Advice], word: str) -> Advice | None:
    """The first piece of advice that says so; none if nothing does."""
    return next((each for each in advice if word in each.what), None)
