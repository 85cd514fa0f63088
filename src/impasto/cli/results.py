"""Results of commands: text for people, or one JSON object on standard output (``--json``)."""

import inspect
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any

import typer

from impasto.cli.app import app

Json = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object, and messages to standard error.")
]


@dataclass(frozen=True)
class Result:
    """Result of a command.

    Attributes:
        record: what ``--json`` prints: pydantic models, dataclasses, paths and dates are serialised.
        show: prints it as text, unless messages have told it.
        complete: whether everything could be done; else the exit code is 1.
    """

    record: Mapping[str, Any]
    show: Callable[[], object] = lambda: None
    complete: bool = True


def result_command(name: str | None = None, *, panel: str) -> Callable[[Callable[..., Result]], Callable[..., None]]:
    """A decorator that registers a function that returns a :class:`Result` as a command with the option ``--json``."""

    def register(function: Callable[..., Result]) -> Callable[..., None]:
        title = name or function.__name__

        @wraps(function)
        def command(*arguments: Any, json: bool, **options: Any) -> None:
            with redirect_stdout(sys.stderr) if json else nullcontext():  # messages, warnings and progress bars
                result = function(*arguments, **options)
            if json:
                print(to_json({"command": title, "complete": result.complete, **result.record}), flush=True)
            else:
                result.show()
            if not result.complete:
                raise typer.Exit(1)

        signature = inspect.signature(function)
        option = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)
        command.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
        command.__annotations__ = {**function.__annotations__, "json": Json}
        registered: Callable[..., None] = app.command(name, rich_help_panel=panel)(command)
        return registered

    return register


def to_json(record: Mapping[str, Any]) -> str:
    """Return a record as JSON in ASCII, which any terminal and pipe can take; NaN and infinities are null."""
    from pydantic_core import to_jsonable_python

    plain = to_jsonable_python(record)
    return json.dumps(to_jsonable_python(plain, inf_nan_mode="null"), indent=2, allow_nan=False)
