"""The verbs, for a shell: parse, call, print; nothing else lives here."""

import sys

from impasto.cli import evaluation, inference, interop, training  # noqa: F401  (their verbs enter the command)
from impasto.cli.app import app as app
from impasto.errors import ImpastoError, missing_extras_explained


def main() -> None:
    """The command ``impasto``: errors meant for a person are one line, with a traceback only on ``--debug``."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        with missing_extras_explained():
            app(arguments)
    except ImpastoError as error:
        if len(arguments) < len(sys.argv) - 1:
            raise
        sys.exit(f"impasto: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
