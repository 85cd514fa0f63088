"""Completion of names in the shell. It runs at each press of the key, so that nothing slow is imported."""

from pathlib import Path


def complete_style(incomplete: str) -> list[str]:
    """Return the styles whose names begin so. The shell completes files where there is none."""
    from impasto.style_files import available_styles

    return [name for name in available_styles() if name.startswith(incomplete)]


def complete_recipe(incomplete: str) -> list[str]:
    """Return the recipes whose names begin so, and YAML files of the current folder."""
    from impasto.config import bundled_recipes

    names = [*bundled_recipes(), *sorted(path.name for path in Path().glob("*.yaml"))]
    return [name for name in names if name.startswith(incomplete)]


def complete_cached(incomplete: str) -> list[str]:
    """Return the kinds of files in the cache whose names begin so."""
    from impasto.cache import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]
