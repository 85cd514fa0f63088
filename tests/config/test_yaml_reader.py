"""YAML of other people is a value, or refused in one line and in little time."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.foreign import result_or_one_line
from impasto.config.yaml_reader import MAX_DEPTH, MAX_LENGTH, read_yaml, read_yaml_file
from impasto.errors import ImpastoError

#: 451 bytes that stand for ten million values.
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
)

#: What YAML is made of.
FRAGMENTS = st.lists(
    st.sampled_from(
        [*"[]{}:,-&*!|>%@`'\"#?=~\n\t ", "\n  ", ": ", "- ", "&a ", "*a", "<<: ", "!!", "!!int ", "!!set ", "!!binary ",
         "!!float ", "!!bool ", "!!timestamp ", "!!python/name:os.system ", "2026-13-45", "0x", "1:2", ".inf", "yes",
         "---\n", "...\n", "\x00", "\x1b", "\ud800", "\ufeff", "é", "9" * 5000, "batch", "generator"]
    ),
    max_size=30,
).map("".join)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("batch: 4\nsize: 64\nbatch: 8", "'batch' is given twice, in line 3"),
        ("a: {lr: 1, lr: 2}", "'lr' is given twice"),
        ("name: 2026-13-45", "2026-13-45 is of the kind timestamp: write text in quotes, in line 1"),
        ("name: 2026-01-01", "timestamp"),
        ("name: !!binary aGk=", "binary"),
        ("name: !!python/object/apply:os.system [ls]", "python/object"),
        ("a: !!set {b}", "kind set"),
        ("!!bool seven", "seven"),
        (f"batch: {'9' * 5000}", "an integer of more than 30 digits"),
        (f"batch: 0x{'f' * 9000}", "an integer of more than 30 digits"),
        ("1: 2", "a name that is not text"),
        ("[a]: 2", "a name that is not text"),
        ("a: &a [*a]", "contains itself"),
        ("generator: &g\n  inner: *g", "contains itself"),
        ("[" * 100_001, "longer than"),
        ("[" * 9_000, "nested too deeply"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested too deeply"),
        ("a: &a [[[[[[[[1]]]]]]]]\nb: &b [[[[[[[*a]]]]]]]\nc: [[[[[[[[*b]]]]]]]]", "nested too deeply"),
        ("budget: 1:30", "1:30 is no decimal number: write text in quotes, in line 1"),
        ("batch: 010", "010 is no decimal number"),
        (BOMB, "more than 10,000 values"),
        ("a: [", "not YAML"),
        ("a: \x1b", "not"),
        (f"a: {'x' * MAX_LENGTH}", "longer than 100,000 characters"),
    ],
)
def test_what_a_recipe_does_not_hold_is_refused_in_one_line_that_names_it(text: str, reason: str) -> None:
    with pytest.raises(ImpastoError) as refused:
        read_yaml(text, "r.yaml")
    assert str(refused.value).startswith("r.yaml ") and reason in str(refused.value)


def test_plain_values_aliases_and_merged_mappings_are_read() -> None:
    text = "adam: &adam {lr: 1e-3, betas: [0.5, .inf]}\ngenerator: {<<: *adam, lr: 2.0e-4}\non time: null"
    adam = {"lr": "1e-3", "betas": [0.5, float("inf")]}
    assert read_yaml(text, "x") == {"adam": adam, "generator": adam | {"lr": 2e-4}, "on time": None}
    assert read_yaml("", "x") is None and read_yaml(str(2**70), "x") == 2**70


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_in_utf_8_or_in_utf_16_with_a_byte_order_mark_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "r.yaml").write_text("name: Café 梅", encoding=encoding)
    assert read_yaml_file(tmp_path / "r.yaml") == {"name": "Café 梅"}


@pytest.mark.parametrize("data", ["name: Café".encode("latin-1"), b"\xff\xfea", "name: Café".encode("utf-16-le")])
def test_a_file_in_another_encoding_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "r.yaml").write_bytes(data)
    with pytest.raises(ImpastoError, match=r"r\.yaml is (text in another encoding: save it as UTF-8|not valid)"):
        read_yaml_file(tmp_path / "r.yaml")


def test_a_long_file_is_not_read_whole_and_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("é" * (MAX_LENGTH // 2 + 1), encoding="utf-8")
    for path, reason in ((tmp_path / "r.yaml", "longer than"), (tmp_path, "cannot be read")):
        with pytest.raises(ImpastoError, match=reason):
            read_yaml_file(path)


@given(FRAGMENTS)
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    result_or_one_line(lambda: read_yaml(text, "r.yaml"))


@given(st.binary(max_size=60))
def test_any_file_is_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(data)
    result_or_one_line(lambda: read_yaml_file(path))
