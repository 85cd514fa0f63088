import pytest

from impasto.config.scoring import SCORING_NETWORKS, default_networks, network_family, scoring_network
from impasto.errors import ImpastoError
from impasto.metrics.feature_extractors import FEATURE_EXTRACTORS


def test_models_are_scored_by_the_first_network_of_none_of_their_families() -> None:
    assert scoring_network(()) == "efficientnet-lite0"
    assert scoring_network({"efficientnet"}) == "alexnet"
    assert scoring_network({"alexnet"}) == "efficientnet-lite0"
    assert scoring_network({"efficientnet", "alexnet"}) == "vgg16"
    with pytest.raises(ImpastoError, match="trained against alexnet, efficientnet, inception, vgg"):
        scoring_network({network_family(name) for name in SCORING_NETWORKS})


def test_the_default_network_scores_too_but_does_not_decide() -> None:
    assert default_networks(()) == ("efficientnet-lite0",)
    assert default_networks({"efficientnet"}) == ("alexnet", "efficientnet-lite0")


def test_every_network_of_this_package_has_a_family() -> None:
    assert set(SCORING_NETWORKS) <= set(FEATURE_EXTRACTORS)
    families = {network_family(name) for name in SCORING_NETWORKS}
    assert "" not in families and len(families) == len(SCORING_NETWORKS)
    assert network_family("inception-2015 with weights 0123abcd") == "inception"
    assert network_family("unknown") == ""
