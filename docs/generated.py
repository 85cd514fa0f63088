"""Pages of the documentation that are written from the code while it is built, as Markdown."""

import os
import re
import tomllib
from collections.abc import Callable, Iterator
from inspect import getdoc, isclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from typer.models import ArgumentInfo, CommandInfo, OptionInfo
from typer.utils import get_params_from_function

DOCS = Path(__file__).parent
ROOT = DOCS.parent

#: The pages by the parts of the navigation, in its order.
NAVIGATION = {
    "Tutorials": [
        "tutorials/first-painting",
        "tutorials/own-style",
        "tutorials/kaggle",
        "tutorials/films-and-large-photos",
        "tutorials/scores",
        "hyperparameter-search",
        "several-gpus",
        "studio",
    ],
    "Notebooks": [
        "notebooks/README",
        "notebooks/kaggle-monet",
        "notebooks/kaggle-dcgan",
        "notebooks/colab-your-own",
        "notebooks/folder-to-style",
    ],
    "Guides": ["painting", "paintings", "translators", "scores", "packs", "ray"],
    "Concepts": [
        "concepts/adversarial-losses",
        "concepts/regularisation",
        "concepts/translation",
        "concepts/networks",
        "concepts/metrics",
        "glossary",
    ],
    "Reference": ["reference/commands", "commands", "reference/recipes", "reference/python"],
    "Results": ["gallery", "benchmarks", "speedrun", "comparison"],
    "Project": ["decisions", "security", "contributing", "changelog"],
}


class Setting(NamedTuple):
    """An argument or option of a command."""

    names: tuple[str, ...]  #: ``("--license", "--licence")``, or the name of an argument
    values: str
    help: str
    default: str
    required: bool

    @property
    def is_option(self) -> bool:
        return self.names[0].startswith("-")


def commands() -> dict[str, CommandInfo]:
    """Return the subcommands of ``impasto`` by name, in the order of its help."""
    from impasto.cli import app

    return {each.name or str(getattr(each.callback, "__name__", "")): each for each in app.registered_commands}


def settings(command: CommandInfo) -> Iterator[Setting]:
    """Yield the arguments and options of a command."""
    assert command.callback is not None
    for name, parameter in get_params_from_function(command.callback).items():
        info = parameter.default
        assert isinstance(info, ArgumentInfo | OptionInfo)
        dashed = name.rstrip("_").replace("_", "-")
        given = info.param_decls or (dashed if isinstance(info, ArgumentInfo) else f"--{dashed}",)
        names = tuple(part for each in given for part in each.split("/"))  # --browser/--no-browser
        default = "" if info.default in (None, "", ...) or info.default is False else str(info.default)
        yield Setting(names, _values(parameter.annotation), info.help or "", default, info.default is ...)


def _values(kind: Any) -> str:
    """Return the values of a type: ``number``, ``png, jpg``, or nothing for a switch."""
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if get_args(kind):
        inner = [each for each in get_args(kind) if each is not NoneType]
        return _values(inner[0]) + (", repeatable" if get_origin(kind) is list else "")
    return {int: "integer", float: "number", Path: "path", bool: ""}.get(kind, "text")


def command_page() -> str:
    lines = []
    for name, command in commands().items():
        found = list(settings(command))
        words = ["impasto", name]
        for each in found:
            first = each.names[0]
            if not each.is_option:
                words.append(first.upper() if each.required else f"[{first.upper()}]")
            elif each.required:
                words.append(f"{first} {first.lstrip('-').upper()}")
        lines += [f"## {name}", "", str(getdoc(command.callback)), "", "```text", " ".join(words), "```", ""]
        for each in found:
            shown = ", ".join(f"`{part if each.is_option else part.upper()}`" for part in each.names)
            facts = [each.values, f"default `{each.default}`" if each.default else "", "required" * each.required]
            lines += [" · ".join(filter(None, [shown, *facts])), f": {escaped(each.help)}", ""]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return re.sub(r"([*_<\[\]\\`])", r"\\\1", text)


def recipe_page() -> str:
    from impasto.config import bundled_recipes

    lines = []
    for name, file in bundled_recipes().items():
        text = file.read_text(encoding="utf-8")
        comment, _, values = text.partition(f"name: {name}\n")
        source = " ".join(line.lstrip("# ") for line in comment.splitlines())
        source = re.sub(r"\b(docs/)(\w+)\.md", r"[\2](../\2.md)", source)
        source = re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", source)
        lines += [f"## {name}", "", source, "", "```yaml", f"name: {name}", values.rstrip(), "```", ""]
    return "\n".join(lines)


def python_page() -> str:
    import impasto

    classes = {name for name in impasto.__all__ if isclass(getattr(impasto, name))}
    lines = ["## Functions", "", "```{eval-rst}"]
    for name in impasto.__all__:
        if name not in classes:
            lines += [f".. autofunction:: impasto.{name}", ""]
    lines += ["```", "", "## Classes", "", "```{eval-rst}"]
    for path in [*(f"impasto.{name}" for name in sorted(classes)), *sorted(mentioned_types())]:
        lines += [f".. autoclass:: {path}", "   :members:", ""]
    lines += [".. autoexception:: impasto.errors.ImpastoError", "", "```"]
    return "\n".join(lines)


def mentioned_types() -> set[str]:
    """Return the classes of impasto in the signatures of the public functions."""
    import impasto

    found: set[str] = set()

    def visit(kind: Any) -> None:
        if isclass(kind) and kind.__module__.startswith("impasto."):
            found.add(f"{kind.__module__}.{kind.__qualname__}")
        for part in get_args(kind):
            visit(part)

    for name in impasto.__all__:
        public = getattr(impasto, name)
        if not isclass(public):
            for hint in get_type_hints(public).values():
                visit(hint)
    return found


def navigation() -> str:
    """Return the table of contents of the start page."""
    lines = []
    for part, pages in NAVIGATION.items():
        lines += ["```{toctree}", ":hidden:", f":caption: {part}", "", *pages, "```", ""]
    return "\n".join(lines)


#: What is appended to pages when they are built, by name.
GENERATED: dict[str, Callable[[], str]] = {
    "index": navigation,
    "reference/commands": command_page,
    "reference/recipes": recipe_page,
    "reference/python": python_page,
}

#: Pages that show a file of the repository's root.
FROM_ROOT = {"contributing": "CONTRIBUTING.md", "changelog": "CHANGELOG.md"}


def page(name: str, text: str) -> str:
    """Return the Markdown of a page as it is built: with what is generated, and with links that lead to pages."""
    source = DOCS / f"{name}.md"
    if name in FROM_ROOT:
        source = ROOT / FROM_ROOT[name]
        text = source.read_text(encoding="utf-8")
    elif name in GENERATED:
        text = f"{text}\n{GENERATED[name]()}\n"

    def link(match: re.Match[str]) -> str:
        label, target, anchor = match.groups()
        path = Path(os.path.normpath(source.parent / target))
        for shown, root_file in FROM_ROOT.items():
            if path == ROOT / root_file:
                path = DOCS / f"{shown}.md"
        if not path.is_relative_to(ROOT) or not path.exists():
            return match[0]  # the build fails for it
        if path.is_relative_to(DOCS):
            return f"[{label}]({Path(os.path.relpath(path, (DOCS / name).parent)).as_posix()}{anchor})"
        repository = _repository()
        return f"[{label}]({repository}/blob/main/{path.relative_to(ROOT).as_posix()})" if repository else label

    return re.sub(r"\[([^\]]*)\]\(([\w./-]+)((?:#[\w-]+)?)\)", link, text)


def _repository() -> str | None:
    """Return the address of the repository, if the package names one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address: str | None = project.get("urls", {}).get("Repository")
    return address
