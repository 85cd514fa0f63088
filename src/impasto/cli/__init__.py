"""The command line: parse, call the public API, print."""

import sys

# They register their subcommands, in the order of the help.
from impasto.cli import training, inference, evaluation, interop  # isort: skip  # noqa: F401
from impasto.cli.app import app as app
from impasto.cli.app import ends_on_sigterm, messages_on_stdout
from impasto.errors import ImpastoError, missing_extras_explained
from impasto.terminal import replace_unencodable


def main() -> None:
    """Run the command ``impasto``. An ImpastoError is printed as one line, or with its traceback after ``--debug``; so
    is an error of the operating system that nothing below has explained."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    replace_unencodable()
    try:
        with ends_on_sigterm(), messages_on_stdout(), missing_extras_explained():
            app(arguments)
    except (ImpastoError, OSError) as error:
        if len(arguments) < len(sys.argv) - 1:
            raise
        sys.exit(f"impasto: {error if isinstance(error, ImpastoError) else _explained(error)}")
    except KeyboardInterrupt:
        sys.exit(130)


def _explained(error: OSError) -> ImpastoError:
    where = f"{error.filename}: " if error.filename is not None else ""
    return ImpastoError(f"{where}{error.strerror or error} (--debug shows where).")
