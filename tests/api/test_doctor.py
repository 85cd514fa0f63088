"""Facts about this machine and installation."""

import sys
from pathlib import Path

import pytest

from impasto.api.doctor import LITTLE, PURPOSES, doctor, lines
from impasto.errors import EXTRAS


def test_every_extra_has_a_purpose_and_tells_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PURPOSES.keys() == EXTRAS.keys()
    monkeypatch.setattr("impasto.api.doctor.find_spec", lambda name: None if name == "optuna" else object())
    missing = {each.name: each.missing for each in doctor().extras if each.missing}
    assert missing == {"tune": ["optuna"]}
    assert "pip install 'impasto[tune]'" in str(dict(lines(doctor()))["Extras"])


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "IMPASTO_TOKEN", "IMPASTO_DATABASE"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    found = doctor()
    assert "hunter2" not in str(found)
    assert found.environment["HF_TOKEN"] == "set" and found.environment["OMP_WAIT_POLICY"] == "ACTIVE"


def test_problems_are_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "999")
    monkeypatch.setenv("IMPASTO_PACK_CACHE_GB", "much")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr("impasto.device.available", lambda device: LITTLE - 1)
    problems = "\n".join(doctor().problems)
    for words in ("OMP_NUM_THREADS is 999", "IMPASTO_PACK_CACHE_GB is much", "PYTHONDONTWRITEBYTECODE", "GB of memory"):
        assert words in problems


def test_a_torch_that_cannot_be_imported_is_a_problem_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert any("PyTorch cannot be imported" in problem for problem in doctor().problems)
