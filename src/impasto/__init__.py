"""Train GANs on a few hundred paintings, stylise photos and videos, and generate new paintings from noise.

>>> import impasto
>>> impasto.explore("monets/", out="exploration")
>>> impasto.train("dcgan-64", paintings="monets/", out="run", budget="30m")
>>> impasto.load("run").generate(16, seed=0)
>>> impasto.evaluate("run", against="monets/")
>>> impasto.Client("http://127.0.0.1:7860").paint("photo.jpg", out="painting.jpg")  # by a running `impasto studio`

The functions are imported when they are first used, so that ``import impasto`` itself is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from impasto._version import __version__ as __version__
from impasto.errors import missing_extras_explained

if TYPE_CHECKING:
    from impasto.api.compare import compare as compare
    from impasto.api.evaluate import evaluate as evaluate
    from impasto.api.explore import explore as explore
    from impasto.api.generate import generate as generate
    from impasto.api.load import load as load
    from impasto.api.paint import paint as paint
    from impasto.api.paint import paint_all as paint_all
    from impasto.api.submit import submit as submit
    from impasto.api.train import resume as resume
    from impasto.api.train import train as train
    from impasto.api.tune import tune as tune
    from impasto.interop.checkpoints import import_style as import_style
    from impasto.interop.export import export as export
    from impasto.interop.hub import pull as pull
    from impasto.interop.hub import push as push
    from impasto.serving.client import Client as Client


__all__ = [
    "Client",
    "compare",
    "evaluate",
    "explore",
    "export",
    "generate",
    "import_style",
    "load",
    "paint",
    "paint_all",
    "pull",
    "push",
    "resume",
    "submit",
    "train",
    "tune",
]

_VERBS = {
    "Client": "impasto.serving.client",
    "compare": "impasto.api.compare",
    "evaluate": "impasto.api.evaluate",
    "explore": "impasto.api.explore",
    "export": "impasto.interop.export",
    "generate": "impasto.api.generate",
    "import_style": "impasto.interop.checkpoints",
    "load": "impasto.api.load",
    "paint": "impasto.api.paint",
    "paint_all": "impasto.api.paint",
    "pull": "impasto.interop.hub",
    "push": "impasto.interop.hub",
    "resume": "impasto.api.train",
    "submit": "impasto.api.submit",
    "train": "impasto.api.train",
    "tune": "impasto.api.tune",
}


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        with missing_extras_explained():  # while it is imported, and while it runs
            found = getattr(import_module(_VERBS[name]), name)
            if not isinstance(found, type):  # a class stays one
                found = missing_extras_explained()(found)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'impasto' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_VERBS])
