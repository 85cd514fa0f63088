"""What the client reads of the server's answers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from impasto.errors import ImpastoError
from impasto.serving import answers, problems, views
from impasto.serving.answers import Answer

VIEWS: dict[type[Answer], type[Any]] = {
    answers.File: views.FileView,
    answers.Job: views.JobView,
    answers.Problem: problems.Problem,
    answers.Run: views.RunView,
    answers.Style: views.StyleView,
}


@pytest.mark.parametrize("answer", VIEWS, ids=lambda answer: answer.__name__)
def test_the_server_answers_every_field_in_a_type_that_the_client_reads(answer: type[Answer]) -> None:
    theirs, ours = VIEWS[answer].model_json_schema(mode="serialization"), answer.model_json_schema()
    assert set(ours["properties"]) <= set(theirs["properties"])
    assert set(ours["properties"]) <= set(theirs["required"]), "a field may be absent"
    for name, field in ours["properties"].items():
        for key in ("type", "anyOf", "enum", "format"):
            assert _plain(field.get(key)) == _plain(theirs["properties"][name].get(key)), name


def _plain(schema: Any) -> Any:
    """Return a schema with the names of the client's classes: ``File`` for ``FileView``."""
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_plain(value) for value in schema]
    return schema.removesuffix("View") if isinstance(schema, str) else schema


FILE = {
    "id": "0" * 32, "name": "a.png", "type": "image/png", "bytes": 3, "width": 1, "height": 1, "kind": "upload",
    "job": None, "favourite": False, "created": "2026-11-30T12:00:00Z", "settings": None, "source": None,
}  # fmt: skip


def test_fields_of_later_versions_are_ignored_and_anything_else_is_an_error() -> None:
    file = answers.read(answers.File, FILE | {"colour": "red"})
    assert file.created == datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert answers.read_list(answers.File, {"files": [FILE]}, "files") == [file]
    wrong: Any
    for wrong in ({}, FILE | {"bytes": "many"}, [FILE], None):
        with pytest.raises(ImpastoError, match="something else than a file"):
            answers.read(answers.File, wrong)
    for wrong in ([], {"files": None}, None):
        with pytest.raises(ImpastoError, match="list of files"):
            answers.read_list(answers.File, wrong, "files")
