"""The verbs, from Python."""

import subprocess
import sys


def test_a_verb_stays_one_whatever_was_imported_before() -> None:
    """A module of the same name would take its place."""
    code = """
import impasto, impasto.api.tune, impasto.api.explore, impasto.api.train, impasto.api.evaluate
import impasto.inference.load
for _ in range(2):
    for verb in impasto.__all__:
        assert callable(getattr(impasto, verb)), verb
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_to_import_impasto_imports_nothing_slow() -> None:
    code = "import sys, impasto; assert not {'torch', 'optuna', 'sklearn', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
