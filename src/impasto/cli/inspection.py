"""Commands that tell about this machine and about files: ``info``, ``doctor`` and ``cache``."""

import time
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from impasto.cache import KINDS, cache_folder, cached, clear_cache
from impasto.cli.app import INSPECT
from impasto.cli.completion import complete_cached, complete_style
from impasto.cli.results import Result, result_command
from impasto.errors import ImpastoError
from impasto.terminal import console, print_lines


@result_command(panel=INSPECT)
def info(
    path: Annotated[
        str, typer.Argument(help="A picture, video, style, run folder or pack.", autocompletion=complete_style)
    ],
) -> Result:
    """Show what a file or folder is, and the command that makes it again."""
    from impasto.api.info import info

    found = info(path)
    lines = [f"{path}: {found.kind}", *(f"  {line}" for line in found.lines if line != found.made_by)]
    lines += [] if found.made_by is None else [f"  {found.made_by}"]
    record = {name: value for name, value in vars(found).items() if name != "lines"}
    return Result(record, partial(print_lines, *lines))


@result_command(panel=INSPECT)
def doctor() -> Result:
    """Show versions, device, memory, disks, cache, extras and environment, and problems with what to do.

    The exit code is 1 if there is a problem.
    """
    from rich.table import Table
    from rich.text import Text

    from impasto.api.doctor import doctor, lines

    found = doctor()

    def show() -> None:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, style="bold")
        for title, rows in lines(found):
            table.add_row(title, Text("\n".join(rows)))
        console().print(table)

    return Result(asdict(found), show, complete=not found.problems)


@result_command(panel=INSPECT)
def cache(
    kind: Annotated[
        str | None, typer.Argument(help=f"With --clear, only this: {', '.join(KINDS)}.", autocompletion=complete_cached)
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove impasto's files from the cache.")] = False,
) -> Result:
    """Show what the cache folder holds, or remove it (--clear): it is downloaded or computed again when needed."""
    if kind is not None and not clear:
        raise ImpastoError("A kind goes with --clear: impasto cache --clear KIND.")
    found = clear_cache(kind) if clear else cached()
    folder, now = cache_folder(), time.time()
    lines = [str(folder)]
    for each in found:
        ages = [f"{max(now - moment, 0) / 86400:.0f}" for moment in (each.newest, each.oldest) if moment is not None]
        age = f", {' to '.join(dict.fromkeys(ages))} days old" if ages else ""
        lines.append(
            f"  {each.kind}: {each.files:,} files, {each.bytes / 1e6:.1f} MB{age}{', removed' if clear else ''}"
        )
    return Result({"folder": folder, "removed" if clear else "kinds": found}, partial(print_lines, *lines))
