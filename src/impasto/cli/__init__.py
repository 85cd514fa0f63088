"""The command line: parse, call the public API, print."""

import os
import sys

# They register their subcommands, in the order of the help.
from impasto.cli import training, inference, serving, evaluation, interop, inspection  # isort: skip  # noqa: F401
from impasto.cli.app import app as app
from impasto.cli.app import messages_on_stdout, run
from impasto.cli.stop_signals import stop_signals_interrupt
from impasto.cli.system_errors import system_errors_explained
from impasto.errors import ImpastoError, missing_extras_explained
from impasto.terminal import replace_unencodable


def main() -> None:
    """Run the command ``impasto``. An error that a user can fix is printed as one line, or with its traceback after
    ``--debug``."""
    # Read when torch is imported. By default its threads wait for each other busily, which takes the processor from
    # the very thread that they wait for where another program is busy too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    replace_unencodable()
    try:
        with stop_signals_interrupt(), messages_on_stdout(), missing_extras_explained(), system_errors_explained():
            code = run(arguments)
    except ImpastoError as error:
        if len(arguments) < len(sys.argv) - 1:
            raise
        sys.exit(f"impasto: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    if code:
        sys.exit(code)
