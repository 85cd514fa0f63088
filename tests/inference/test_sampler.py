"""Unconditional generation is reproducible: image i of a seed is always the same."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.noise_style import style
from impasto.inference.sampler import Sampler

SAMPLER = Sampler(style(), torch.device("cpu"))
FIRST = np.stack(list(SAMPLER.stream(70, seed=5)))


@settings(max_examples=25)
@given(start=st.integers(0, 69), count=st.integers(1, 70))
def test_image_i_of_a_seed_does_not_depend_on_count_or_start(start: int, count: int) -> None:
    count = min(count, 70 - start)
    some = np.stack(list(SAMPLER.stream(count, seed=5, start=start)))
    assert np.array_equal(some, FIRST[start : start + count])


def test_images_differ_within_and_between_seeds() -> None:
    assert len({picture.tobytes() for picture in FIRST}) == 70
    other = np.stack(list(SAMPLER.stream(70, seed=6)))
    assert not {p.tobytes() for p in other} & {p.tobytes() for p in FIRST}


def test_ten_thousand_images_of_a_seed_have_distinct_latents() -> None:
    """With seeds of 32 bits for each picture, two pictures of seed 19 would be the same."""
    latents = torch.from_numpy(np.stack([SAMPLER.latent(19, number) for number in range(10_000)]))
    assert len(latents.unique(dim=0)) == 10_000


def test_generate_returns_pillow_images_of_the_style_size() -> None:
    pictures = SAMPLER.generate(3, seed=5)
    assert [(p.mode, p.size) for p in pictures] == [("RGB", (16, 16))] * 3
    assert np.array_equal(np.asarray(pictures[2]), FIRST[2])


def test_images_are_the_network_output_rounded_to_pixels() -> None:
    latents = torch.from_numpy(np.stack([SAMPLER.latent(5, number) for number in range(16)]))
    exact = (SAMPLER.style.network(latents).permute(0, 2, 3, 1).double() + 1) * 127.5
    assert (torch.from_numpy(FIRST[:16]).double() - exact).abs().max() <= 0.5 + 1e-3
