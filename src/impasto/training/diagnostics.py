"""How generator and discriminator stand, in plain words, from how often the discriminator is right."""

import math

MEMORISING_GAP = 0.10
"""How much better D must know its training paintings than held-out ones to be called memorising."""

CERTAIN, GUESSING = 0.90, 0.60
"""Balanced accuracies: from the one on, D tells real from fake with ease; up to the other, it guesses."""


def memorises(real: float, heldout: float, heldout_pictures: int) -> bool:
    """Whether D knows its training paintings (a share ``real`` of them) better than held-out ones: by a wide gap, and
    one beyond two standard errors."""
    # Two more of each kind, after Agresti & Coull: none or all of a few pictures is not certainty.
    share = (heldout * heldout_pictures + 2) / (heldout_pictures + 4)
    error = math.sqrt(share * (1 - share) / max(heldout_pictures, 1))
    return real - heldout > max(MEMORISING_GAP, 2 * error)


def diagnose(real: float, fake: float) -> str:
    """What it means that D recognises these shares of real paintings and of fakes: said of it."""
    balanced = (real + fake) / 2
    if balanced >= CERTAIN:
        return "it still tells real from fake with ease"
    if balanced <= GUESSING:
        return "it hardly does better than a coin"
    if fake < 0.5:
        return "it takes most fakes for real"
    if real < 0.5:
        return "it takes most real paintings for fakes"
    return "it is ahead, but the generator often fools it"
