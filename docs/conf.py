"""Sphinx builds the documentation as a site that loads nothing from elsewhere; `make docs` fails for any warning."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path
from pkgutil import resolve_name

from docutils.nodes import Element, TextElement
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.fileutil import copy_asset

sys.path.insert(0, str(Path(__file__).parent))
from generated import ROOT, page
from impasto._version import __version__

project = "impasto"
author = "the authors of impasto"
release = version = __version__
copyright = f"{author}, Apache-2.0"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "sphinx_copybutton"]
nitpicky = True
highlight_language = "text"
smartquotes = False  # they would turn --option into –option

myst_enable_extensions = ["attrs_inline", "deflist", "dollarmath"]
myst_heading_anchors = 4

nb_execution_mode = "off"  # tests execute the notebooks
nb_merge_streams = True

autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "impasto"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

#: MathJax, from a package: nothing is loaded from elsewhere.
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}


#: Copies of the notebooks.
NOTEBOOKS = Path(__file__).parent / "notebooks"

#: Modules whose names are shown without them.
PREFIXES = (
    "impasto.errors.",
    "impasto.inference.video.translate.",
    "builtins.",
    "types.",
    "pydantic.fields.",
    "annotated_types.",
)


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", _copy_notebooks)
    app.connect("source-read", _complete)
    app.connect("missing-reference", _without_page)
    app.connect("build-finished", _copy_mathjax)
    app.connect("build-finished", _remove_notebooks)


def _copy_notebooks(app: Sphinx) -> None:
    """Copy what Sphinx can only read inside its folder, for the time of the build."""
    copy_asset(ROOT / "notebooks", NOTEBOOKS, excluded=lambda path: path.endswith((".py", ".json")))


def _remove_notebooks(app: Sphinx, error: Exception | None) -> None:
    shutil.rmtree(NOTEBOOKS)


def _complete(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = page(name, source[0])


def _without_page(app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: TextElement) -> Element | None:
    """Show a reference to something that exists and has no page as its name alone; leave others, for which the build
    fails."""
    if node.get("refdomain") != "py":
        return None
    target = re.sub(r"\(\)$", "", node["reftarget"])
    for prefix in ("", f"{node.get('py:module')}.", *PREFIXES):
        try:
            resolve_name(f"{prefix}{target}")
        except (ValueError, ImportError, AttributeError):
            continue
        return shown
    return None


def _copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    package = importlib.util.find_spec("sphinx-mathjax-offline")  # no name to import
    if error is None and package is not None and package.submodule_search_locations:
        source, out = Path(package.submodule_search_locations[0], "static/mathjax"), app.outdir / "_static/mathjax"
        for part in ("tex-chtml.js", "output/chtml/fonts/woff-v2"):  # a tenth of it
            copy_asset(source / part, (out / part).parent if (source / part).is_file() else out / part)
