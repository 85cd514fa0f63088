"""``python -m impasto``: the command, for torchrun and where it is not on the path."""

from impasto.cli import main

main()
