"""Names of style files: which styles there are, without opening them."""

from pathlib import Path


def bundled_styles() -> dict[str, Path]:
    """Return the styles that are part of the package, by name."""
    return _within(Path(__file__).parent / "styles")


def available_styles() -> dict[str, Path]:
    """Return all styles that can be used by name: the bundled ones, and those in ``styles/`` of a source checkout and
    of the current folder."""
    ours, others = bundled_styles(), _checkout_styles() | _within(Path("styles"))
    return ours | {name: path for name, path in others.items() if name not in ours}


def _checkout_styles() -> dict[str, Path]:
    """Return the styles in ``styles/`` of a source checkout; an installed package has none beside it."""
    package = Path(__file__).parent
    checkout = package.parents[1]
    is_checkout = package == checkout / "src" / "impasto" and (checkout / "pyproject.toml").is_file()
    return _within(checkout / "styles") if is_checkout else {}


def _within(folder: Path) -> dict[str, Path]:
    return dict(sorted((file.stem, file) for file in folder.glob("*.safetensors")))
