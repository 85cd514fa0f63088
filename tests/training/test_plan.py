"""What comes at which step."""

import pytest

from impasto.training.budget import Budget
from impasto.training.plan import Costs, Plan, milestones


@pytest.mark.parametrize("total", [1, 7, 100, 5000, 10**6])
@pytest.mark.parametrize("count", [0, 1, 24, 120])
def test_milestones_are_denser_at_the_beginning_end_with_the_last_step_and_stay_few(total: int, count: int) -> None:
    steps = sorted(milestones(total, count))
    assert steps[-1] == total and steps[0] >= 1
    assert len(steps) <= max(1, count)
    if total >= 5000 and count > 20:
        assert steps[1] - steps[0] < steps[-1] - steps[-2]


def test_who_watches_says_where_to_score() -> None:
    plan = Plan(Budget.parse("90steps"), batch=4, epoch=100, scored_at=(1 / 9, 1 / 3, 1.0))
    assert [step for step in range(1, 91) if plan.due(step)[1]] == [10, 30, 90]


def test_a_time_is_laid_out_in_the_steps_that_are_left_when_sampling_and_scoring_are_paid_for() -> None:
    plan = Plan(Budget.parse("100s"), batch=4, epoch=100, scored_at=(0.5, 1.0))
    assert plan.total is None and plan.due(1) == (False, False)
    plan.lay_out(step=10, spent=10.0, per_step=0.5, costs=Costs(sample=0.0, score=5.0))
    assert plan.total == 10 + (100 - 10 - 2 * 5) / 0.5


def test_a_plan_goes_on_as_it_was_laid_out_unless_the_budget_is_another() -> None:
    plan = Plan(Budget.parse("100s"), batch=4, epoch=100)
    plan.lay_out(step=10, spent=10.0, per_step=0.5, costs=Costs(sample=0.1, score=0.1))
    again, longer = (Plan(Budget.parse(text), batch=4, epoch=100) for text in ("100s", "200s"))
    again.restore(plan.state())
    longer.restore(plan.state())
    assert again.state() == plan.state() and longer.total is None


def test_a_time_that_was_laid_out_in_a_busy_moment_is_corrected_once_by_the_mean_speed() -> None:
    plan = Plan(Budget.parse("100s"), batch=4, epoch=100)
    plan.lay_out(step=2, spent=10.0, per_step=5.0, costs=Costs())
    assert (plan.total, plan.unsettled) == (20, True)
    plan.settle(step=10, spent=20.0)
    assert (plan.total, plan.unsettled) == (10 + (100 - 20) * 10 / 20, False)
    again = Plan(Budget.parse("100s"), batch=4, epoch=100)
    again.restore(plan.state())
    assert (again.total, again.unsettled) == (50, False)
    late = Plan(Budget.parse("100s"), batch=4, epoch=100)
    late.lay_out(step=2, spent=1.0, per_step=0.5, costs=Costs())
    late.settle(step=100, spent=120.0)
    assert late.total == 101  # a last step, in which all ends as it should


def test_steps_that_were_asked_for_and_those_of_trials_that_are_compared_are_kept() -> None:
    assert not Plan(Budget.parse("90steps"), batch=4, epoch=100).unsettled
    watched = Plan(Budget.parse("100s"), batch=4, epoch=100, scored_at=(1 / 3, 1.0))
    watched.lay_out(step=2, spent=10.0, per_step=5.0, costs=Costs())
    assert not watched.unsettled
