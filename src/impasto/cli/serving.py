"""The command ``studio``."""

from typing import Annotated

import typer

from impasto.cli.app import USE, Device, app
from impasto.terminal import print_lines


@app.command(rich_help_panel=USE)
def studio(
    folder: Annotated[str, typer.Option(help="Where uploads, results, runs and styles lie.")] = "studio",
    host: Annotated[
        str, typer.Option(help="Address to listen on. Any but this machine's own requires a token, which is printed.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for a free one.")] = 7860,
    database: Annotated[
        str | None,
        typer.Option(envvar="IMPASTO_DATABASE", help="Database URL, such as that of a PostgreSQL; default SQLite."),
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="IMPASTO_TOKEN", help="Token to require; default a random one if needed.")
    ] = None,
    keep_days: Annotated[
        float | None, typer.Option(min=1, help="Delete files after so many days, except favourites.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    device: Device = "auto",
) -> None:
    """Open impasto in the browser: paint, generate, learn. The same process is an HTTP API (/v1/openapi.json)."""
    from impasto.serving.launch import studio

    studio(
        folder,
        host=host,
        port=port,
        database=database,
        device=device,
        token=token,
        keep_days=keep_days,
        open_browser=browser,
        announce=lambda address: print_lines(f"impasto studio: {address}  (Ctrl-C stops it)"),
    )
