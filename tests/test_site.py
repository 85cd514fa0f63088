"""The documentation as a site: its navigation, what is generated for it, and that it needs nothing from elsewhere."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer
import yaml
from playwright.sync_api import sync_playwright

import generated
import impasto
from fixtures.command import ROOT
from impasto.cli import app
from impasto.config import bundled_recipes
from impasto.config.data import DiffAugmentConfig
from impasto.config.optimisation import PENALTIES
from impasto.config.registries import DISCRIMINATORS, GENERATORS, LOSSES, METHODS
from impasto.metrics.base import METRICS
from impasto.metrics.feature_extractors import FEATURE_EXTRACTORS

DOCS = ROOT / "docs"
PAGES = [page for pages in generated.NAVIGATION.values() for page in pages]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def sections(text: str) -> dict[str, str]:
    """Return what follows each heading of the second level."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_navigation_lists_every_page_once() -> None:
    documents = [path.relative_to(DOCS) for path in DOCS.rglob("*.md")]
    notebooks = [path.relative_to(ROOT) for kind in ("md", "ipynb") for path in (ROOT / "notebooks").glob(f"*.{kind}")]
    files = {path.with_suffix("").as_posix() for path in (*documents, *notebooks)}
    assert sorted(PAGES) == sorted(files - {"index"})


def test_the_reference_of_commands_has_every_argument_and_option() -> None:
    found, commands = sections(generated.command_page()), typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert list(found) == list(commands)
    for name, command in commands.items():
        for parameter in command.params:
            is_option = parameter.param_type_name == "option"
            names = [*parameter.opts, *parameter.secondary_opts] if is_option else [parameter.name.upper()]
            assert all(f"`{each}`" in found[name] for each in names), (name, names)
            assert generated.escaped(parameter.help or "") in found[name]


def test_the_reference_of_recipes_has_the_settings_and_the_source_of_each() -> None:
    found = sections(generated.recipe_page())
    assert list(found) == list(bundled_recipes())
    for name, file in bundled_recipes().items():
        source, block = found[name].split("```yaml\n")
        assert yaml.safe_load(block.split("```")[0]) == yaml.safe_load(file.read_text(encoding="utf-8"))
        assert len(source.split()) > 5, f"{name} names no source"


def test_the_reference_of_python_has_every_public_name() -> None:
    found = re.findall(r"^\.\. auto\w+:: impasto\.(\w+)$", generated.python_page(), re.MULTILINE)
    assert sorted(found) == sorted(impasto.__all__)


def test_every_component_is_explained_on_a_page_of_concepts() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "concepts").glob("*.md"))
    registries = (LOSSES, METHODS, GENERATORS, DISCRIMINATORS, METRICS, FEATURE_EXTRACTORS)
    names = {name for registry in registries for name in registry if "toy" not in name}
    names |= {*PENALTIES, *DiffAugmentConfig.model_fields}
    missing = [name for name in names if not re.search(rf"(`|\.|[{{ ]|^## .*){re.escape(name)}", text, re.MULTILINE)]
    assert sorted(missing) == []


def test_links_out_of_the_documents_lead_to_pages_or_become_text() -> None:
    text = "[a](../../CONTRIBUTING.md#set-up) [b](../../docs/security.md) [c](../../src/impasto) [d](nowhere.md)"
    built = generated.page("tutorials/kaggle", text)
    assert re.fullmatch(
        r"\[a\]\(\.\./contributing\.md#set-up\) \[b\]\(\.\./security\.md\) (c|\[c\]\(https://\S+/src/impasto\)) "
        r"\[d\]\(nowhere\.md\)",
        built,
    )
    assert "](contributing.md#where-things-live)" in generated.page("changelog", "")
    assert "](benchmarks.md)" in generated.page("contributing", "")


def build(docs: Path, site: Path) -> subprocess.CompletedProcess[str]:
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--doctree-dir", str(site.with_suffix(".doctrees"))]
    command = [sys.executable, "-m", "sphinx", *options, str(docs), str(site)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx", reason="needs the extra docs")
    out = tmp_path_factory.mktemp("site") / "site"
    built = build(DOCS, out)
    assert built.returncode == 0, built.stderr
    return out


class _Loaded(HTMLParser):
    """The addresses that a browser loads with a page: all but those of ``<a href>``."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = {"src", "srcset", "data", "poster", *(["href"] if tag == "link" else [])}
        self.addresses += [value for name, value in attributes if name in names and value]


@pytest.mark.long
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    elsewhere = re.compile(r"(https?:)?//")
    assert all((site / f"{page}.html").is_file() for page in PAGES)
    for path in site.rglob("*.html"):
        assert [address for address in _Loaded(path).addresses if elsewhere.match(address)] == [], path
    for path in site.rglob("*.css"):
        assert not re.search(r"""(@import|url\()\s*["']?(https?:)?//""", path.read_text(encoding="utf-8")), path


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium: apt-get install chromium")
def test_a_browser_shows_every_formula_without_the_network_and_on_a_phone(site: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page, requests, problems = browser.new_page(viewport={"width": 400, "height": 800}), list[str](), list[str]()
        page.on("request", lambda request: requests.append(request.url))
        page.on("requestfailed", lambda request: problems.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        for name in ("index", *PAGES):
            page.goto((site / f"{name}.html").as_uri())
            if formulas := page.locator(".math").count():
                page.wait_for_function(f"document.querySelectorAll('.math mjx-container').length == {formulas}")
            assert page.locator("mjx-merror, [data-mjx-error]").count() == 0, name
            assert page.evaluate("document.documentElement.scrollWidth") <= 400, f"{name} is wider than a phone"
        browser.close()
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert problems == []


@pytest.mark.long
def test_a_dead_link_a_missing_image_and_a_reference_to_nothing_fail_the_build(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="needs the extra docs")
    for folder in ("docs", "notebooks"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    mistakes = "[a](nowhere.md) [b](packs.md#nowhere) ![c](nowhere.jpg) {py:func}`impasto.nowhere`"
    (tmp_path / "docs" / "gallery.md").write_text(f"# Gallery\n\n{mistakes}\n", encoding="utf-8")
    (tmp_path / "docs" / "stray.md").write_text("# Stray\n", encoding="utf-8")
    built = build(tmp_path / "docs", tmp_path / "site")
    assert built.returncode != 0
    for complaint in ("'nowhere.md'", "'nowhere'", "nowhere.jpg", "impasto.nowhere", "stray.md"):
        assert complaint in built.stderr, built.stderr
