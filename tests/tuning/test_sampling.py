"""Trial 0 has the baseline's settings; later ones are sampled within the search space, better than at random."""

from pathlib import Path

from fixtures.studies import BASELINE, SPACE, ask, open_small
from impasto.tuning.sampling import trial_settings
from impasto.tuning.trials import finish_trial


def test_the_first_trial_has_the_settings_of_the_baseline_and_the_next_are_within_the_space(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    assert trial_settings(ask(study), SPACE) == BASELINE
    for _ in range(8):
        settings = trial_settings(ask(study), SPACE)
        assert 1e-5 <= settings["generator.lr"] <= 1e-2
        assert settings["batch"] in (4, 8, 16) and settings["generator.betas"] in ([0.5, 0.999], [0.0, 0.99])
        clip = settings["generator.clip_gradient"]
        assert isinstance(clip, int) and 4 <= clip <= 10


def test_the_same_seed_samples_the_same_settings_and_no_two_trials_share_them(tmp_path: Path) -> None:
    sampled = []
    for name in ("a", "b"):
        study = open_small(tmp_path / name, journal=True)
        sampled.append([trial_settings(ask(study), SPACE) for _ in range(5)])
    assert sampled[0] == sampled[1]
    assert len({str(settings) for settings in sampled[0]}) == 5


def test_later_trials_are_better_than_random_ones(tmp_path: Path) -> None:
    """TPE on a smooth bowl: the second half of the trials is nearer to the optimum than the first."""
    study = open_small(tmp_path, journal=True)
    values = []
    for _ in range(40):
        trial = ask(study)
        settings = trial_settings(trial, SPACE)
        value = abs(settings["generator.lr"] - 1e-3) * 100 + abs(settings["generator.clip_gradient"] - 9) / 3
        values.append(value)
        assert finish_trial(study, trial, "COMPLETE", [value])
    assert sum(values[20:]) < 0.6 * sum(values[:20])
