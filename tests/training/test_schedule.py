"""The steps of a budget, and at which of them samples and scores are made."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.training.budget import Budget
from impasto.training.schedule import Overhead, StepSchedule, passes


@pytest.mark.parametrize("total", [1, 7, 100, 5000, 10**5])
@pytest.mark.parametrize("count", [0, 1, 24, 120])
def test_samples_are_denser_at_the_beginning_and_end_with_the_last_step(total: int, count: int) -> None:
    steps = [step for step in range(1, total + 1) if passes((step - 1) / total, step / total, count)]
    assert steps[-1] == total
    assert len(steps) == min(max(1, count), len(steps))
    if total >= 5000:
        assert len(steps) == max(1, count)
    if total >= 5000 and count > 20:
        assert steps[1] - steps[0] < steps[-1] - steps[-2]


def test_an_observer_chooses_where_to_score() -> None:
    schedule = StepSchedule(Budget.parse("90steps"), batch=4, epoch=100, score_at=(1 / 9, 1 / 3, 1.0))
    assert [step for step in range(1, 91) if schedule.due(step)[1]] == [10, 30, 90]


def test_a_time_budget_becomes_the_steps_that_remain_beside_samples_and_scores() -> None:
    schedule = StepSchedule(Budget.parse("100s"), batch=4, epoch=100, score_at=(0.5, 1.0))
    assert schedule.total is None and schedule.due(1) == (False, False)
    schedule.set_total(step=10, elapsed=10.0, seconds_per_step=0.5, overhead=Overhead(sample=0.0, score=5.0))
    assert schedule.total == 10 + (100 - 10 - 2 * 5) / 0.5


def test_a_schedule_is_restored_unless_the_budget_differs() -> None:
    schedule = StepSchedule(Budget.parse("100s"), batch=4, epoch=100)
    schedule.set_total(step=10, elapsed=10.0, seconds_per_step=0.5, overhead=Overhead(sample=0.1, score=0.1))
    again, longer = (StepSchedule(Budget.parse(text), batch=4, epoch=100) for text in ("100s", "200s"))
    again.load_state_dict(schedule.state_dict())
    longer.load_state_dict(schedule.state_dict())
    assert again.state_dict() == schedule.state_dict() and longer.total is None


def test_the_steps_of_a_time_budget_are_corrected_once_by_the_mean_speed() -> None:
    schedule = StepSchedule(Budget.parse("100s"), batch=4, epoch=100)
    schedule.set_total(step=2, elapsed=10.0, seconds_per_step=5.0, overhead=Overhead())
    assert schedule.total == 20 and not schedule.correction_due(9) and schedule.correction_due(10)
    schedule.correct(step=10, elapsed=20.0, seconds_per_step=20 / 10, overhead=Overhead())
    assert schedule.total == 10 + (100 - 20) * 10 / 20 and not schedule.correction_due(49)
    again = StepSchedule(Budget.parse("100s"), batch=4, epoch=100)
    again.load_state_dict(schedule.state_dict())
    assert again.total == 50 and not again.correction_due(49) and again.progress(30) == schedule.progress(30)
    late = StepSchedule(Budget.parse("100s"), batch=4, epoch=100)
    late.set_total(step=2, elapsed=1.0, seconds_per_step=0.5, overhead=Overhead())
    late.correct(step=100, elapsed=120.0, seconds_per_step=1.2, overhead=Overhead())
    assert late.total == 101  # at least one step more, in which the last scores are made


def test_the_correction_comes_where_the_learning_rate_begins_to_decay_within_bounds() -> None:
    for decay_from, at in ((0.0, 25), (0.3, 30), (1.0, 50)):
        schedule = StepSchedule(Budget.parse("100s"), batch=4, epoch=100, decay_from=decay_from)
        schedule.set_total(step=0, elapsed=0.0, seconds_per_step=1.0, overhead=Overhead())
        assert not schedule.correction_due(at - 1) and schedule.correction_due(at)


def test_budgets_in_steps_and_trials_of_a_search_are_not_corrected() -> None:
    assert not any(
        StepSchedule(Budget.parse("90steps"), batch=4, epoch=100).correction_due(step) for step in range(1, 91)
    )
    observed = StepSchedule(Budget.parse("100s"), batch=4, epoch=100, score_at=(1 / 3, 1.0))
    observed.set_total(step=2, elapsed=10.0, seconds_per_step=5.0, overhead=Overhead())
    assert not any(observed.correction_due(step) for step in range(2, 21))


@pytest.mark.parametrize("overhead", [Overhead(), Overhead(sample=0.05, score=0.2)])
def test_each_part_keeps_its_share_of_the_time_where_steps_become_slower(overhead: Overhead) -> None:
    """Steps of 1, 4 and 16 ms, as the size of the images doubles: each takes about a third of the time."""
    budget, thirds, seconds = 60.0, (1 / 3, 2 / 3), (0.001, 0.004, 0.016)
    schedule = StepSchedule(Budget.parse("60s"), batch=4, epoch=100, score_at=(0.5, 1.0), speed_changes=thirds)
    schedule.set_total(step=0, elapsed=0.0, seconds_per_step=seconds[0], overhead=overhead)
    step, elapsed, progress, scored, changes = 0, 0.0, [0.0], [], []
    within, samples = [0.0, 0.0, 0.0], [0, 0, 0]
    while progress[-1] < 1:
        part = sum(progress[-1] >= share for share in thirds)
        elapsed, step, within[part] = elapsed + seconds[part], step + 1, within[part] + seconds[part]
        progress.append(schedule.progress(step))
        sample, score = schedule.due(step)
        elapsed += overhead.sample * sample + overhead.score * score
        samples[part] += sample
        scored += [progress[-1]] if score else []
        changes += [progress[-1]] if schedule.speed_changes_at(step) else []
        if schedule.correction_due(step):
            schedule.correct(step, elapsed, seconds[part], overhead)
    assert step == schedule.total
    assert elapsed == pytest.approx(budget, rel=0.05)
    # The first steps of a part are still planned by the speed of the part before.
    assert within == pytest.approx([budget / 3] * 3, rel=0.15)
    assert all(0 < after - before < 0.01 for before, after in pairwise(progress))
    assert scored == pytest.approx([0.5, 1.0], abs=0.01) and changes == pytest.approx(thirds, abs=0.01)
    assert samples[0] > samples[1] > samples[2] > 0.2 * sum(samples)  # by progress, not by steps


@given(
    total=st.integers(2, 2000),
    at=st.floats(0.1, 0.9),
    slower=st.floats(0.2, 20),
)
def test_progress_grows_from_0_to_1_also_after_a_rollback_to_before_a_correction(
    total: int, at: float, slower: float
) -> None:
    schedule = StepSchedule(Budget.parse("100s"), batch=4, epoch=100)
    schedule.set_total(step=0, elapsed=0.0, seconds_per_step=100 / total, overhead=Overhead())
    schedule.correct(max(1, int(at * total)), 100 * at, slower * 100 / total, Overhead())
    assert schedule.total is not None
    points = [schedule.progress(step) for step in range(schedule.total + 2)]
    assert points[0] == 0 and points[-1] == points[-2] == 1 and points == sorted(points)
