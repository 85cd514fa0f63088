from typing import Any

from impasto.metrics.choice import Choice


def choice(value: float = 0.1, copies: float = 0.0, **changes: Any) -> Choice:
    level = "memorised" if copies else "none"
    found = {"step": 7, "decided_by": "KID[net] 256 v 30 held-out", "value": value, "memorisation": level}
    return Choice.model_validate(found | {"copies": copies} | changes)


def test_styles_that_memorise_come_after_all_others_and_by_their_copies() -> None:
    best_first = [choice(0.1), choice(0.2), choice(0.9), choice(0.8, 0.3), choice(0.001, 0.6), choice(0.002, 0.6)]
    for place, one in enumerate(best_first):
        for later in best_first[place + 1 :]:
            assert later.replaced_by(one) and not one.replaced_by(later)
        assert not one.replaced_by(one)


def test_a_style_that_another_metric_decided_on_is_replaced() -> None:
    assert choice(0.1).replaced_by(choice(0.9, decided_by="KID[net] 256 v 270"))


def test_the_sentence_says_what_decided() -> None:
    assert choice(0.03124).sentence() == (
        "The best style is that of step 7, by KID[net] 256 v 30 held-out: 0.0312. No sign of memorisation."
    )
    assert choice(memorisation="unknown").sentence().endswith("Memorisation cannot be determined.")
    assert (
        choice(copies=0.62)
        .sentence()
        .replace("\N{NO-BREAK SPACE}", " ")
        .endswith("Every scored style reproduces training images; this one does so least: 62 % of its images.")
    )
