"""What comes at which step."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.training.budget import Budget
from impasto.training.schedule import Costs, StepSchedule, passes


@pytest.mark.parametrize("total", [1, 7, 100, 5000, 10**5])
@pytest.mark.parametrize("count", [0, 1, 24, 120])
def test_looks_are_denser_at_the_beginning_end_with_the_last_step_and_stay_few(total: int, count: int) -> None:
    steps = [step for step in range(1, total + 1) if passes((step - 1) / total, step / total, count)]
    assert steps[-1] == total
    assert len(steps) == min(max(1, count), len(steps))
    if total >= 5000:
        assert len(steps) == max(1, count)
    if total >= 5000 and count > 20:
        assert steps[1] - steps[0] < steps[-1] - steps[-2]


def test_who_watches_says_where_to_score() -> None:
    plan = StepSchedule(Budget.parse("90steps"), batch=4, epoch=100, scored_at=(1 / 9, 1 / 3, 1.0))
    assert [step for step in range(1, 91) if plan.due(step)[1]] == [10, 30, 90]


def test_a_time_is_laid_out_in_the_steps_that_are_left_when_sampling_and_scoring_are_paid_for() -> None:
    plan = StepSchedule(Budget.parse("100s"), batch=4, epoch=100, scored_at=(0.5, 1.0))
    assert plan.total is None and plan.due(1) == (False, False)
    plan.lay_out(step=10, spent=10.0, per_step=0.5, costs=Costs(sample=0.0, score=5.0))
    assert plan.total == 10 + (100 - 10 - 2 * 5) / 0.5


def test_a_plan_goes_on_as_it_was_laid_out_unless_the_budget_is_another() -> None:
    plan = StepSchedule(Budget.parse("100s"), batch=4, epoch=100)
    plan.lay_out(step=10, spent=10.0, per_step=0.5, costs=Costs(sample=0.1, score=0.1))
    again, longer = (StepSchedule(Budget.parse(text), batch=4, epoch=100) for text in ("100s", "200s"))
    again.restore(plan.state())
    longer.restore(plan.state())
    assert again.state() == plan.state() and longer.total is None


def test_a_time_that_was_laid_out_in_a_busy_moment_is_corrected_once_by_the_mean_speed() -> None:
    plan = StepSchedule(Budget.parse("100s"), batch=4, epoch=100)
    plan.lay_out(step=2, spent=10.0, per_step=5.0, costs=Costs())
    assert plan.total == 20 and not plan.corrected(9) and plan.corrected(10)
    plan.correct(step=10, spent=20.0, per_step=20 / 10, costs=Costs())
    assert plan.total == 10 + (100 - 20) * 10 / 20 and not plan.corrected(49)
    again = StepSchedule(Budget.parse("100s"), batch=4, epoch=100)
    again.restore(plan.state())
    assert again.total == 50 and not again.corrected(49) and again.progress(30) == plan.progress(30)
    late = StepSchedule(Budget.parse("100s"), batch=4, epoch=100)
    late.lay_out(step=2, spent=1.0, per_step=0.5, costs=Costs())
    late.correct(step=100, spent=120.0, per_step=1.2, costs=Costs())
    assert late.total == 101  # a last step, in which all ends as it should


def test_it_is_corrected_where_the_learning_rate_begins_to_fall_but_neither_at_once_nor_late() -> None:
    for decay_from, at in ((0.0, 25), (0.3, 30), (1.0, 50)):
        plan = StepSchedule(Budget.parse("100s"), batch=4, epoch=100, decay_from=decay_from)
        plan.lay_out(step=0, spent=0.0, per_step=1.0, costs=Costs())
        assert not plan.corrected(at - 1) and plan.corrected(at)


def test_steps_that_were_asked_for_and_those_of_trials_that_are_compared_are_kept() -> None:
    assert not any(StepSchedule(Budget.parse("90steps"), batch=4, epoch=100).corrected(step) for step in range(1, 91))
    watched = StepSchedule(Budget.parse("100s"), batch=4, epoch=100, scored_at=(1 / 3, 1.0))
    watched.lay_out(step=2, spent=10.0, per_step=5.0, costs=Costs())
    assert not any(watched.corrected(step) for step in range(2, 21))


@pytest.mark.parametrize("costs", [Costs(), Costs(sample=0.05, score=0.2)])
def test_where_steps_become_slower_each_part_keeps_its_share_of_the_time(costs: Costs) -> None:
    """Steps of 1, 4 and 16 ms, as the sides of pictures double: each takes about a third of the time."""
    budget, thirds, seconds = 60.0, (1 / 3, 2 / 3), (0.001, 0.004, 0.016)
    plan = StepSchedule(Budget.parse("60s"), batch=4, epoch=100, scored_at=(0.5, 1.0), speed_changes=thirds)
    plan.lay_out(step=0, spent=0.0, per_step=seconds[0], costs=costs)
    step, spent, progress, scored, turns = 0, 0.0, [0.0], [], []
    within, samples = [0.0, 0.0, 0.0], [0, 0, 0]
    while progress[-1] < 1:
        part = sum(progress[-1] >= share for share in thirds)
        spent, step, within[part] = spent + seconds[part], step + 1, within[part] + seconds[part]
        progress.append(plan.progress(step))
        sampled, judged = plan.due(step)
        spent += costs.sample * sampled + costs.score * judged
        samples[part] += sampled
        scored += [progress[-1]] if judged else []
        turns += [progress[-1]] if plan.turns(step) else []
        if plan.corrected(step):
            plan.correct(step, spent, seconds[part], costs)
    assert step == plan.total
    assert spent == pytest.approx(budget, rel=0.05)
    # A share begins with a few steps of the number that was laid out for the pace before.
    assert within == pytest.approx([budget / 3] * 3, rel=0.15)
    assert all(0 < after - before < 0.01 for before, after in pairwise(progress))
    assert scored == pytest.approx([0.5, 1.0], abs=0.01) and turns == pytest.approx(thirds, abs=0.01)
    assert samples[0] > samples[1] > samples[2] > 0.2 * sum(samples)  # by progress, not by steps


@given(
    total=st.integers(2, 2000),
    at=st.floats(0.1, 0.9),
    slower=st.floats(0.2, 20),
)
def test_progress_only_grows_from_0_to_1_also_for_what_goes_back_to_before_a_correction(
    total: int, at: float, slower: float
) -> None:
    plan = StepSchedule(Budget.parse("100s"), batch=4, epoch=100)
    plan.lay_out(step=0, spent=0.0, per_step=100 / total, costs=Costs())
    plan.correct(max(1, int(at * total)), 100 * at, slower * 100 / total, Costs())
    assert plan.total is not None
    points = [plan.progress(step) for step in range(plan.total + 2)]
    assert points[0] == 0 and points[-1] == points[-2] == 1 and points == sorted(points)
