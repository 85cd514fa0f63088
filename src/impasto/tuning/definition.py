"""Definition of a study: what all of its processes must agree on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from impasto.config.recipe import Recipe
from impasto.config.setting_paths import flatten
from impasto.config.yaml_reader import read_yaml
from impasto.errors import ImpastoError
from impasto.training.budget import Budget
from impasto.tuning.objectives import objective_labels, require_objectives

#: Differences that an error message lists.
LISTED = 3


@dataclass(frozen=True)
class StudyDefinition:
    """Recipe with search space, budget and seeds of a trial, objectives.

    Attributes:
        recipe: its ``tune`` section is the search space.
        budget: of each training, such as ``10m`` or ``2000steps``.
        seeds: trainings a trial.
        seed: of the sampler, and of the first training of each trial.
        objectives: names from :data:`impasto.tuning.objectives.OBJECTIVES`.
        start: name of the style or run to fine-tune.
        crop_frames: whether frames are cropped off the paintings.
        unseen: whether the score is that against held-out images. It is decided when the study is created; see
            :func:`impasto.tuning.study.scores_unseen`.
    """

    recipe: Recipe
    budget: str
    seeds: int = 1
    seed: int = 0
    objectives: tuple[str, ...] = ("score",)
    start: str | None = None
    crop_frames: bool = False
    unseen: bool = False

    def require_valid(self) -> None:
        """Raise ImpastoError if no study can be made of it."""
        Budget.parse(self.budget).require_parts(len(self.recipe.speed_changes) + 1)
        if self.seeds < 1:
            raise ImpastoError("A trial needs at least one seed.")
        if not self.recipe.tune:
            raise ImpastoError(
                f"The recipe {self.recipe.name} has no search space: add a section such as "
                "tune: {generator.lr: {low: 1.0e-5, high: 1.0e-3, log: true}}."
            )
        self.recipe.require_valid_search_space()
        require_objectives(self.objectives, self.recipe)

    @property
    def labels(self) -> list[str]:
        """The labels of the objectives, such as ``KID[efficientnet-lite0]``."""
        return objective_labels(self.objectives, self.recipe, self.unseen)

    @property
    def baseline(self) -> dict[str, Any]:
        """The recipe's own values of the searched settings."""
        return {name: self.recipe.value(name) for name in self.recipe.tune}

    def to_json(self) -> dict[str, Any]:
        """Return the definition as a storage holds it."""
        return {
            "recipe": self.recipe.to_yaml(),
            "budget": self.budget,
            "seeds": self.seeds,
            "seed": self.seed,
            "objectives": list(self.objectives),
            "start": self.start,
            "crop_frames": self.crop_frames,
        }

    def differences(self, stored: Mapping[str, Any]) -> list[str]:
        """Return what differs in a stored definition, such as ``budget is 10m there and 20m here``.

        Raises:
            ImpastoError: the stored recipe is not valid in this version.
        """
        before = Recipe.of(read_yaml(stored["recipe"], "The stored recipe"), recorded=True)
        found = recipe_differences(before, self.recipe)
        given = {key: value for key, value in self.to_json().items() if key != "recipe"}
        return found + [
            _difference(key, stored.get(key), value) for key, value in given.items() if stored.get(key) != value
        ]

    @classmethod
    def create(cls, recipe: Recipe, start: str | Path | None, **options: Any) -> Self:
        """Return the definition for the weights of ``start``, which is named without its folder."""
        return cls(recipe, start=None if start is None else Path(start).name, **options)


def recipe_differences(stored: Recipe, given: Recipe) -> list[str]:
    """Return the settings and ranges in which two recipes differ, such as ``batch is 8 there and 4 here``."""
    there, here = dict(flatten(stored.values())), dict(flatten(given.values()))
    names = dict.fromkeys([*there, *here])
    return [_difference(name, there.get(name), here.get(name)) for name in names if there.get(name) != here.get(name)]


def list_differences(differences: list[str]) -> str:
    """Return the first differences as text, and how many more there are."""
    more = len(differences) - LISTED
    return "; ".join(differences[:LISTED]) + (f"; and {more} more" if more > 0 else "")


def _difference(name: str, there: Any, here: Any) -> str:
    return f"{name} is {_shown(there)} there and {_shown(here)} here"


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
