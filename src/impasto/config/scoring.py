"""Which feature network may rank models: none of a family whose features they are trained against."""

from collections.abc import Collection

from impasto.config.registries import FEATURE_EXTRACTORS
from impasto.errors import ImpastoError

#: The networks that score in training, in the order of preference. ``alexnet`` takes a quarter of the time of
#: ``vgg16``; the weights of the last one must be downloaded.
SCORING_NETWORKS = ("efficientnet-lite0", "alexnet", "vgg16", "inception-2015")


def scoring_network(families: Collection[str]) -> str:
    """Return the preferred feature network of none of the ``families``.

    Raises:
        ImpastoError: all are of one of them.
    """
    for name in SCORING_NETWORKS:
        if network_family(name) not in families:
            return name
    raise ImpastoError(f"No feature network may score a model that is trained against {', '.join(sorted(families))}.")


def default_networks(families: Collection[str]) -> tuple[str, ...]:
    """Return the networks that score models trained against the features of these ``families`` unless others are
    asked for: one of none of them, which decides, and the default one."""
    return tuple(dict.fromkeys((scoring_network(families), SCORING_NETWORKS[0])))


def network_family(name: str) -> str:
    """Return the family of a feature network by its name in scores; "" if it is unknown here."""
    registered = name.partition(" ")[0]  # a network with other weights than the published ones appends their digest
    return FEATURE_EXTRACTORS[registered].family if registered in FEATURE_EXTRACTORS else ""
