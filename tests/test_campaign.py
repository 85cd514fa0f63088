"""Commands that fail at random moments come to the same result when run again; ``make campaign`` plays more."""

import sys
from pathlib import Path

import pytest

from campaign.jobs import jobs
from campaign.rounds import play, references


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's signals, limits and file systems")
def test_a_few_rounds_of_the_campaign_are_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    quick = [job for job in jobs(steps=12) if job.name in ("train dcgan-64", "paint zip")]
    known = references(tmp_path, quick)
    failures = ["SIGKILL", "SIGTERM", "out of memory", "read-only"]
    lines = [play(number, 1, tmp_path, known, failures) for number in range(1, 4)]
    assert [line for line in lines if not line.endswith("equal")] == []
