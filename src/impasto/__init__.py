"""impasto learns a painter from a few hundred pictures and makes new paintings.

>>> import impasto
>>> impasto.explore("monets/", out="look")
>>> impasto.train("dcgan-64", paintings="monets/", out="run", budget="30m")
>>> impasto.load("run").generate(16, seed=0)
>>> impasto.evaluate("run", against="monets/")

The verbs are imported when they are first used: ``import impasto`` itself is quick.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impasto.exchange.checkpoints import import_style as import_style
    from impasto.exchange.export import export as export
    from impasto.exchange.hub import pull as pull
    from impasto.exchange.hub import push as push
    from impasto.exploration.explore import explore as explore
    from impasto.invention import generate as generate
    from impasto.judge import compare as compare
    from impasto.judge import evaluate as evaluate
    from impasto.learn import resume as resume
    from impasto.learn import train as train
    from impasto.paint.painter import load as load
    from impasto.painting import paint_all as paint_all
    from impasto.search import tune as tune

__version__ = version("impasto")
__all__ = [
    "compare",
    "evaluate",
    "explore",
    "export",
    "generate",
    "import_style",
    "load",
    "paint_all",
    "pull",
    "push",
    "resume",
    "train",
    "tune",
]

_VERBS = {
    "compare": "impasto.judge",
    "evaluate": "impasto.judge",
    "explore": "impasto.exploration.explore",
    "export": "impasto.exchange.export",
    "generate": "impasto.invention",
    "import_style": "impasto.exchange.checkpoints",
    "load": "impasto.paint.painter",
    "paint_all": "impasto.painting",
    "pull": "impasto.exchange.hub",
    "push": "impasto.exchange.hub",
    "resume": "impasto.learn",
    "train": "impasto.learn",
    "tune": "impasto.search",
}


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return getattr(import_module(_VERBS[name]), name)
    raise AttributeError(f"module 'impasto' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_VERBS])
