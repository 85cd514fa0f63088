"""What earlier versions wrote, in the names of this one: every file that impasto reads back passes through here.

Each function takes the values of one kind of file as they were read and returns them as this version writes them.
Values that are of this version already come back unchanged.
"""

from collections.abc import Mapping
from typing import Any

#: Methods and networks that had another name, by that name.
METHODS = {"plain": "unconstrained"}
NETWORKS = {"painter": "edsr", "patch": "patchgan"}
#: Columns of the log that had another name.
COLUMNS = {"spread": "diversity_ratio", "loss_rebuilding": "loss_reconstruction"}
#: Attributes of a trial that had another name, in storages of studies and in ``tuning.json``.
TRIALS = {"looks": "rung_scores", "wrong": "error", "seen": "last_heartbeat", "tries": "attempt", "own": "baseline"}


def recipe(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a recipe, nested."""
    changed = dict(values)
    if str(changed.get("method")) in METHODS:
        changed["method"] = METHODS[changed["method"]]
    for role in ("generator", "discriminator"):
        settings = changed.get(role)
        if isinstance(settings, Mapping) and str(settings.get("network")) in NETWORKS:
            changed[role] = {**settings, "network": NETWORKS[settings["network"]]}
    return changed


def card(values: Mapping[str, Any]) -> dict[str, Any]:
    """The card of a style. Format 2 named a style's domains in one text ("photos into paintings")."""
    if values.get("format") != 2:
        return dict(values)
    changed = _renamed(
        values, {"source": "target_data", "photos": "source_data", "licence": "license", "lattice": "checkerboard"}
    )
    source, _, target = str(changed.pop("turns")).partition(" into ")
    return changed | {
        "format": 3,
        "task": "generation" if "latent" in values["recipe"] else "translation",
        "source": source,
        "target": target,
    }


def run_facts(values: Mapping[str, Any]) -> dict[str, Any]:
    """``run.json``."""
    return _renamed(values, {"source": "paintings", "licence": "license"})


def log_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """A line of ``log.jsonl``."""
    return _renamed(values, COLUMNS)


def checkpoint(values: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a training. Earlier versions could correct the number of steps at one point ("from")."""
    changed = _renamed(values, {"spreads": "diversity_ratios"})
    if "knots" not in changed and "total" in changed:
        total, corrected = changed["total"], list(changed["from"])
        middle = [corrected] if corrected[0] else []
        changed["knots"] = [] if total is None else [[0, 0.0], *middle, [total, 1.0]]
    return changed


def pack(values: Mapping[str, Any]) -> dict[str, Any]:
    """The index of a packed pixel store."""
    return _renamed(values, {"survey": "inventory"})


def evaluation(values: Mapping[str, Any]) -> dict[str, Any]:
    """``evaluation.json``."""
    changed = _renamed(values, {"lattice": "checkerboard"})
    for side in ("fakes", "reals"):
        if isinstance(changed.get(side), Mapping):
            changed[side] = _renamed(changed[side], {"turns": "domains"})
            changed[side]["domains"] = str(changed[side].get("domains", "")).replace(" into ", " → ")
    return changed


def trial_attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    """The user attributes of a trial in the storage of a study."""
    return _renamed(values, TRIALS)


def tuning(values: Mapping[str, Any]) -> dict[str, Any]:
    """``tuning.json``."""
    return {**values, "trials": [_renamed(trial, TRIALS) for trial in values.get("trials", ())]}


def _renamed(values: Any, names: Mapping[str, str]) -> dict[str, Any]:
    """ValueError if the file holds no object at all, such as a list."""
    if not isinstance(values, Mapping):
        raise ValueError("it does not contain an object")
    return {names.get(name, name): value for name, value in values.items()}
