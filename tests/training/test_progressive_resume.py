"""A training whose networks grow: its time, its average, and how it is gone on with."""

from pathlib import Path
from typing import Any

import torch

from fixtures.trainers import judged, same, trainer
from impasto.networks.progressive import Growing
from impasto.style import Style
from impasto.training import checkpoint
from impasto.training.trainer import Trainer


def growing(path: Path, budget: str = "30steps", **options: Any) -> Trainer:
    """From 8 to 16 pixels."""
    return trainer(path, budget, ("doublings=1",), "dcgan-progressive", **options)


def grown(t: Trainer) -> tuple[float, float]:
    """How far the generator is, and its average."""
    generator, average = t.method.style(), t.ema.network
    assert isinstance(generator, Growing) and isinstance(average, Growing)
    return generator.grown, average.grown


def test_at_the_end_the_average_is_grown_and_holds_nothing_of_the_beginning(tmp_path: Path) -> None:
    """Its half-life is a twentieth of what the newest size has learned from: after half of that time with the size all
    there, a thousandth of the rest is left."""
    t = growing(tmp_path / "run", "200steps")
    t.train()
    generator, average = grown(t)
    assert generator == 1 and average > 0.999
    style = Style.load(tmp_path / "run").network
    assert isinstance(style, Growing) and style.grown > 0.999
    assert style(torch.randn(2, 8)).shape[-1] == 16


def test_a_time_is_kept_and_each_size_has_half_of_it(tmp_path: Path) -> None:
    t = growing(tmp_path / "run", "6s")
    t.train()
    assert t.plan.turned > 0 and t.step == t.plan.total
    rows = [row for row in t.run.log_file.read_text().splitlines() if f'"step": {t.plan.turned},' in row]
    assert rows and 1.5 < float(rows[0].split('"seconds": ')[1].split(",")[0]) < 5
    assert t._clock.total < 12


def test_the_best_is_one_of_the_largest_size(tmp_path: Path) -> None:
    scores = iter([0.1, 0.2, 0.1, 0.2, 0.5, 0.4, 0.6, 0.7])
    t = growing(tmp_path / "run", "40steps", judge=lambda pictures: judged(next(scores)))
    t.plan.scorings = 6
    t.train()
    assert t.lowest is not None and t.lowest >= 0.2
    assert Style.load(tmp_path / "run" / "best.safetensors").card.steps > t.plan.turned


def test_it_goes_on_bit_for_bit_from_the_middle_of_a_change(tmp_path: Path) -> None:
    whole, parts = growing(tmp_path / "whole"), growing(tmp_path / "parts")
    whole.train()
    parts._begin()
    while parts.step < 19:  # the larger size is fading in
        parts._one_step()
        if parts.plan.turns(parts.step):
            parts._look()
            parts._turn()
    parts._save()
    parts.run.close()
    again = growing(tmp_path / "parts")
    again.resume(checkpoint.newest(again.run.checkpoints)[0])
    assert 0 < grown(again)[0] < 1
    again.train()
    one, two = ({name: network.state_dict() for name, network in t.method.networks.items()} for t in (whole, again))
    same(one, two)
    same(whole.ema.network.state_dict(), again.ema.network.state_dict())


def test_gone_on_with_for_longer_or_begun_with_a_painter_it_does_not_shrink(tmp_path: Path) -> None:
    t = growing(tmp_path / "run")
    t.train()
    state = checkpoint.newest(t.run.checkpoints)[0]
    longer = growing(tmp_path / "run", "200steps")
    longer.resume(state)
    tuned = growing(tmp_path / "tuned")
    tuned.start_from({"generator": state["ema"]}, state["ema"])
    for begun in (longer, tuned):
        for _ in range(2):
            begun._one_step()
        assert grown(begun)[0] > 0.999
        adversary = begun.method.networks["discriminator"].module
        assert isinstance(adversary, Growing) and adversary.grown == grown(begun)[0]
