"""YAML that other people wrote: plain values only, no name twice, and limits on size, nesting and aliases."""

import codecs
import re
from pathlib import Path
from typing import Any

import yaml

from impasto.errors import MALFORMED, ImpastoError, shorten

#: Largest text in bytes or characters: a recipe has 2,000.
MAX_LENGTH = 100_000
#: Most values and names, those of aliases counted each time, and how deeply they may be nested.
MAX_VALUES, MAX_DEPTH = 10_000, 20
#: Most characters of an integer.
MAX_DIGITS = 30
#: The kinds of values, by YAML's tags.
KINDS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}
INTEGER, FLOAT, TEXT, MERGE = (f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "str", "merge"))


def read_yaml_file(path: Path) -> Any:
    """Return the value in a file: :func:`read_yaml`. ImpastoError also for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LENGTH + 1)
    except OSError as error:
        raise ImpastoError(f"{path} cannot be read ({error.strerror}).") from error
    _require_short(data, str(path))
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return read_yaml(data.decode(encoding), str(path))
    except UnicodeDecodeError as error:
        raise ImpastoError(f"{path} is text in another encoding: save it as UTF-8.") from error


def read_yaml(text: str, name: str) -> Any:
    """Return the value of a YAML text: numbers, texts, booleans, nulls, lists, and mappings with texts as keys.

    Args:
        text: at most :data:`MAX_LENGTH` characters.
        name: of the file or setting, for errors.

    Raises:
        ImpastoError: invalid YAML, a name given twice, a date or another kind of value, or a text past a limit.
    """
    _require_short(text, name)
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if _checked_count(node, 1, {})[0] > MAX_VALUES:
            raise ImpastoError(f"{name} holds more than {MAX_VALUES:,} values: it is not a recipe.")
        return loader.construct_document(node)
    except RecursionError as error:
        raise ImpastoError(f"{name} is nested too deeply, or contains itself: it is not a recipe.") from error
    except yaml.MarkedYAMLError as error:
        where = _line(error.problem_mark) if error.problem_mark else ""
        raise ImpastoError(f"{name} is not YAML: {error.problem}{where}.") from error
    except (yaml.YAMLError, *MALFORMED) as error:  # such as KeyError for "!!bool 7"
        raise ImpastoError(f"{name} is not valid: {' '.join(str(error).split())}.") from error


def _require_short(text: str | bytes, name: str) -> None:
    if len(text) > MAX_LENGTH:
        raise ImpastoError(f"{name} is longer than {MAX_LENGTH:,} characters: it is not a recipe.")


def _checked_count(node: yaml.Node, depth: int, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Return the number of values in a node, those of aliases each time, and how deeply they are nested.

    Raises ValueError for what a recipe does not hold, and RecursionError for nodes that are nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise RecursionError
    if id(node) not in known:
        _require_plain(node)
        children: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            children = node.value
        elif isinstance(node, yaml.MappingNode):
            _require_names(node)
            children = [child for _, child in node.value]
        found = [_checked_count(child, depth + 1, known) for child in children]
        count, height = 1 + sum(values for values, _ in found), 1 + max((below for _, below in found), default=0)
        known[id(node)] = count, height
    if depth + known[id(node)][1] - 1 > MAX_DEPTH:
        raise RecursionError
    return known[id(node)]


def _require_plain(node: yaml.Node) -> None:
    if node.tag not in KINDS:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        shown = shorten(str(node.value), 40) if isinstance(node, yaml.ScalarNode) else "a value"
        raise ValueError(f"{shown} is of the kind {kind}: write text in quotes{_line(node.start_mark)}")
    if node.tag == INTEGER and len(node.value) > MAX_DIGITS:
        raise ValueError(f"an integer of more than {MAX_DIGITS} digits{_line(node.start_mark)}")
    if node.tag in (INTEGER, FLOAT) and (":" in node.value or re.match(r"[-+]?0[0-9_]", node.value)):
        # YAML 1.1 reads 1:30 as 90 and 010 as 8
        raise ValueError(f"{node.value} is no decimal number: write text in quotes{_line(node.start_mark)}")


def _require_names(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if key.tag not in (TEXT, MERGE):
            raise ValueError(f"a name that is not text: write it in quotes{_line(key.start_mark)}")
        if key.value in seen:
            raise ValueError(f"'{shorten(key.value, 60)}' is given twice{_line(key.start_mark)}")
        seen.add(key.value)


def _line(mark: yaml.Mark) -> str:
    return f", in line {mark.line + 1}"
