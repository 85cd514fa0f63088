"""The steps of a budget, and at which of them samples and scores are made."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.training.budget import Budget
from impasto.training.schedule import Overhead, StepSchedule, passes

NONE = Overhead()


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


def test_the_step_of_the_last_change_of_speed_follows_from_the_step() -> None:
    """Also after a rollback to a step before it, and where no part begins with it."""
    for budget, changes in (("40+20+60steps", (40, 60)), ("120steps", (48, 96)), ("119steps", (48, 96))):
        schedule = StepSchedule(Budget.parse(budget), batch=4, epoch=100, speed_changes=(0.4, 0.8))
        assert [step for step in range(121) if schedule.speed_changes_at(step)] == list(changes)
        for step in range(121):
            assert schedule.speed_changed_at(step) == max((change for change in changes if change <= step), default=0)
    assert StepSchedule(Budget.parse("1h"), batch=4, epoch=100, speed_changes=(0.4,)).speed_changed_at(7) == 0


def test_an_observer_chooses_where_to_score() -> None:
    schedule = StepSchedule(Budget.parse("90steps"), batch=4, epoch=100, score_at=(1 / 9, 1 / 3, 1.0))
    assert [step for step in range(1, 91) if schedule.due(step)[1]] == [10, 30, 90]


def planned(budget: str, seconds: list[float], overhead: Overhead = NONE, **options: Any) -> StepSchedule:
    """Return the schedule of a time budget whose parts take so many seconds a step, planned at its start."""
    schedule = StepSchedule(Budget.parse(budget), batch=4, epoch=100, **options)
    schedule.set_total(0, 0.0, Budget.parse(budget).amount, seconds, overhead)
    return schedule


def test_a_time_budget_becomes_the_steps_that_remain_beside_samples_scores_and_checkpoints() -> None:
    schedule = StepSchedule(Budget.parse("100s"), batch=4, epoch=100, score_at=(0.5, 1.0))
    assert (schedule.total, schedule.plan) == (None, None)
    schedule.set_total(0, 0.0, 90.0, [0.5], Overhead(sample=0.1, score=5.0, saving=7.0))
    left = 90 - 2 * 5 - 7 - 0.1 * schedule.sample_count
    assert schedule.total == round(left / 0.5) and schedule.sample_count > 10


@pytest.mark.parametrize("options", [{}, {"score_at": (1 / 9, 1 / 3, 1.0)}, {"speed_changes": (0.3,)}])
@pytest.mark.parametrize("seconds", [0.01, 0.37, 8.0])
def test_everything_that_decides_is_the_same_in_the_plan_of_a_time_budget(
    seconds: float, options: dict[str, Any]
) -> None:
    speeds = [seconds, 4 * seconds] if "speed_changes" in options else [seconds]
    timed = planned("100s", speeds, Overhead(0.01, 0.2, 1.0), **options)
    assert timed.plan is not None and timed.total is not None
    repeated = StepSchedule(Budget.parse(timed.plan), batch=4, epoch=100, **options)
    assert repeated.plan == timed.plan and repeated.total == timed.total
    for step in range(1, timed.total + 1):
        assert repeated.progress(step) == timed.progress(step)
        assert repeated.due(step)[1] == timed.due(step)[1]
        assert repeated.recovery_due(step) == timed.recovery_due(step)
        assert repeated.speed_changes_at(step) == timed.speed_changes_at(step)


def test_a_schedule_is_restored_unless_the_budget_differs() -> None:
    schedule = planned("100s", [0.5])
    again, longer = (StepSchedule(Budget.parse(text), batch=4, epoch=100) for text in ("100s", "200s"))
    for each in (again, longer):
        each.load_state_dict(schedule.state_dict() | {"step": 7})
    assert again.state_dict() == schedule.state_dict() and again.plan == schedule.plan
    assert (longer.total, longer.replanned) == (None, True)
    longer.set_total(7, 0.25, 150.0, [0.5], NONE)
    assert longer.progress(7) == 0.25 and longer.total == 307 and longer.plan is None
    later = StepSchedule(Budget.parse("200s"), batch=4, epoch=100)
    later.load_state_dict(longer.state_dict() | {"step": 9})
    assert later.plan is None and later.progress(9) == longer.progress(9)


def test_a_time_that_is_used_up_has_one_step_left_for_the_last_scores() -> None:
    for reached, left in ((1.0, -5.0), (0.9, -5.0)):
        schedule = StepSchedule(Budget.parse("10s"), batch=4, epoch=100)
        schedule.set_total(50, reached, left, [0.5], NONE)
        assert schedule.total == 51 and schedule.progress(51) == 1


@pytest.mark.parametrize("overhead", [Overhead(), Overhead(sample=0.05, score=0.2)])
def test_each_part_has_its_share_of_the_time_where_steps_become_slower(overhead: Overhead) -> None:
    """Steps of 1, 4 and 16 ms, as the size of the images doubles: each takes about a third of the time."""
    budget, thirds, seconds = 60.0, (1 / 3, 2 / 3), [0.001, 0.004, 0.016]
    schedule = planned("60s", seconds, overhead, score_at=(0.5, 1.0), speed_changes=thirds)
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
    assert step == schedule.total
    assert elapsed == pytest.approx(budget, rel=0.02)
    assert within == pytest.approx([sum(within) / 3] * 3, rel=0.02)
    assert all(0 < after - before < 0.01 for before, after in pairwise(progress))
    assert scored == pytest.approx([0.5, 1.0], abs=0.01) and changes == pytest.approx(thirds, abs=0.01)
    assert samples[0] > samples[1] > samples[2] > 0.2 * sum(samples)  # by progress, not by steps


@given(first=st.integers(1, 2000), second=st.integers(1, 2000), change=st.floats(0.05, 0.95))
def test_progress_grows_from_0_to_1_through_the_parts(first: int, second: int, change: float) -> None:
    schedule = StepSchedule(Budget.parse(f"{first}+{second}steps"), batch=4, epoch=100, speed_changes=(change,))
    assert schedule.total == first + second and schedule.plan == f"{first}+{second}steps"
    points = [schedule.progress(step) for step in range(schedule.total + 2)]
    assert points[0] == 0 and points[-1] == points[-2] == 1 and points == sorted(points)
    assert points[first] == change and [s for s in range(schedule.total + 1) if schedule.speed_changes_at(s)] == [first]


def test_states_to_roll_back_to_are_saved_at_steps_that_depend_on_the_total_alone() -> None:
    for total, spacing in ((40, 25), (500, 25), (10_000, 500)):
        schedule = StepSchedule(Budget.parse(f"{total}steps"), batch=4, epoch=100)
        found = [step for step in range(1, total + 1) if schedule.recovery_due(step)]
        assert found == list(range(spacing, total + 1, spacing))
