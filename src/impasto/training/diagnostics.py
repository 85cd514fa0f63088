"""Training diagnostics from the accuracy of the discriminator, as clauses for reports and the progress line."""

import math

MEMORISING_GAP = 0.10
"""Accuracy on training paintings minus accuracy on held-out ones above which the discriminator memorises."""

CERTAIN, CHANCE = 0.90, 0.60
"""Balanced accuracy from which the discriminator separates real from fake easily; up to which it is near chance."""

ONE_SIDED = 0.5
"""Difference of the two accuracies from which the discriminator takes nearly everything for real, or for fake."""


def memorises(real: float, heldout: float, heldout_images: int) -> bool:
    """Whether the discriminator recognises its training paintings (accuracy ``real``) better than held-out ones, by
    more than ``MEMORISING_GAP`` and by more than two standard errors of ``heldout_images``."""
    # Two successes and two failures more (Agresti & Coull 1998): 0 or 1 of a few images is no certainty.
    share = (heldout * heldout_images + 2) / (heldout_images + 4)
    error = math.sqrt(share * (1 - share) / max(heldout_images, 1))
    return real - heldout > max(MEMORISING_GAP, 2 * error)


def diagnose(real: float, fake: float) -> str:
    """Return what the accuracies of the discriminator on real and fake images, 0…1, mean for the training."""
    balanced = (real + fake) / 2
    if balanced >= CERTAIN:
        return "separates real from fake easily"
    if balanced <= CHANCE and abs(real - fake) <= ONE_SIDED:
        return "near chance: healthy"
    if fake < 0.5:
        return "takes most fakes for real"
    if real < 0.5:
        return "takes most real paintings for fake"
    return "ahead, but often fooled"
