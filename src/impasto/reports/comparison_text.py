"""Conclusion and warnings of a comparison, in sentences."""

from collections.abc import Iterator, Sequence
from itertools import product

from impasto.metrics.base import better
from impasto.metrics.formatting import format_value, join_words
from impasto.metrics.memorisation_finding import assess_memorisation
from impasto.metrics.results import DECIDING_METRIC, Scores
from impasto.reports.comparison_results import ComparedRun
from impasto.reports.comparison_scores import Condition, mark_best, ranking_conditions
from impasto.reports.evaluation_text import format_sets


def conclude(runs: Sequence[ComparedRun]) -> str:
    """Return which run is best by the deciding metric, under the condition that most runs share; of several such, one
    with held-out images. Runs that reproduce training images are not ranked, and no run by a network of a family that
    it is trained against."""
    if len(runs) == 1:
        return "There is only one run, so nothing is compared."
    copying = [run.name for run in runs if _memorises(run)]
    copies = "" if not copying else f" {join_words(copying)} reproduce{'s' * (len(copying) == 1)} training images."
    ranked = [run for run in runs if run.name not in copying]
    if copying and len(ranked) < 2:
        honest = f" Only {ranked[0].name} does not." if ranked else ""
        return f"{copies.strip()}{honest} So the scores do not tell which is best."
    scored: dict[Condition, list[tuple[ComparedRun, Scores]]] = {}
    for run in ranked:
        for each, scores in ranking_conditions(run).items():
            scored.setdefault(each, []).append((run, scores))
    condition, shared = max(scored.items(), key=lambda item: (len(item[1]), item[0].unseen), default=(None, []))
    if condition is None or len(shared) < 2:
        return f"No two of these runs have comparable scores.{copies}"
    shared.sort(key=lambda pair: pair[1].values[DECIDING_METRIC].value, reverse=better(DECIDING_METRIC) == "higher")
    numbers = ", ".join(f"{run.name} {format_value(scores.values[DECIDING_METRIC])}" for run, scores in shared)
    evidence = f"{shared[0][1].label(DECIDING_METRIC)}, {format_sets(shared[0][1])}: {numbers}"
    marks = mark_best(DECIDING_METRIC, [scores.values[DECIDING_METRIC] for _, scores in shared])
    best = [run for (run, _), marked in zip(shared, marks, strict=True) if marked]
    if copies:
        copies += " Their scores are not ranked." if len(copying) > 1 else " Its score is not ranked."
    if not best:
        return f"No significant difference between the runs. {evidence}.{copies}"
    if len(best) == 1:
        return f"{best[0].name} has the best score. {evidence}.{copies}"
    names = [run.name for run in best]
    return f"{join_words(names)} have the best scores, without a significant difference. {evidence}.{copies}"


def warnings(runs: Sequence[ComparedRun]) -> Iterator[str]:
    """Yield what limits the comparison."""
    for run in runs:
        if run.status != "finished":
            state = "still running" if run.status == "running" else "stopped"
            yield f"{run.name} is not finished: {state} at step {run.steps:,}{run.remaining}."
    missing = [run.name for run in runs if not ranking_conditions(run)]
    if missing:
        lacks = "has" if len(missing) == 1 else "have"
        yield f"{join_words(missing)} {lacks} no scores to rank by: --against PICTURES scores all runs alike."
    yield from _incomparable(runs)
    if len({run.fingerprint for run in runs}) > 1:
        yield "The runs were trained on different paintings."
    if len({run.domains for run in runs}) > 1:
        tasks = dict.fromkeys(run.domains for run in runs)
        kinds = (f"{join_words([run.name for run in runs if run.domains == each])} ({each})" for each in tasks)
        yield f"The tasks differ: {', '.join(kinds)}."
    if len({run.photos_fingerprint for run in runs} - {None}) > 1:
        yield "The runs translate different photos, some of which may be more similar to paintings."
    if len({run.size for run in runs}) > 1:
        yield f"The image sizes differ: {', '.join(f'{run.name} {run.size} px' for run in runs)}."
    data = {(run.fingerprint, run.size, run.learned, run.photos_fingerprint) for run in runs}
    if len(data) > 1 and any(run.during for run in runs):
        yield "Scores during training are not comparable: image sets or sizes differ."
    if len({(run.device, run.precision) for run in runs}) > 1:
        yield f"The devices differ, and with them the times: {', '.join(f'{run.name} {run.device}' for run in runs)}."


def _memorises(run: ComparedRun) -> bool:
    return run.evaluation is not None and assess_memorisation(run.evaluation.copies).suspicious


def _incomparable(runs: Sequence[ComparedRun]) -> Iterator[str]:
    """Yield the runs that share no condition that may rank them with the first evaluated one, and why."""
    groups: list[list[ComparedRun]] = []
    for run in filter(ranking_conditions, runs):
        shared = (group for group in groups if ranking_conditions(group[0]).keys() & ranking_conditions(run).keys())
        if (group := next(shared, None)) is not None:
            group.append(run)
        else:
            groups.append([run])
    for others in groups[1:]:
        pairs = product(
            *([each for each in ranking_conditions(group[0]) if not each.unseen] for group in (groups[0], others))
        )
        first, condition = min(pairs, key=lambda pair: len(pair[0].differences(pair[1])))
        yield (
            f"The scores of {join_words([run.name for run in groups[0]])} ({first}) and of "
            f"{join_words([run.name for run in others])} ({condition}) are not comparable: "
            f"different {join_words(first.differences(condition))}. --against PICTURES scores all runs alike."
        )
