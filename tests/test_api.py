"""The verbs, from Python."""

import inspect
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


def test_a_missing_extra_is_explained_in_python_too() -> None:
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "optuna":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import impasto
try:
    impasto.tune("dcgan-64", "sample:paintings", "study")
except impasto.errors.ImpastoError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "The package optuna is not installed; run: pip install 'impasto[tune]'\n"


def test_signatures_and_docstrings_are_those_of_the_functions() -> None:
    import impasto
    from impasto.api.paint import paint

    assert inspect.signature(impasto.paint) == inspect.signature(paint) and impasto.paint.__doc__ == paint.__doc__
