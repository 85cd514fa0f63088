"""Scores carry their network and their numbers of images."""

from impasto.metrics.results import Memorisation, Scores, Value


def scores(network: str) -> Scores:
    values = {"KID": Value(value=0.05), "FD": Value(value=99.0)}
    return Scores(network=network, size=64, fakes=1000, reals=270, values=values)


def test_columns_of_a_log_name_metric_network_and_counts() -> None:
    assert scores("alexnet").row() == {"KID[alexnet] 1,000 v 270": 0.05, "FD[alexnet] 1,000 v 270": 99.0}


def test_the_frechet_distance_of_the_fid_network_alone_is_called_fid() -> None:
    assert scores("inception-2015").label("FD") == "FID[inception-2015]"
    assert scores("inception-2015 with weights 0a1b2c3d").label("FD") == "FID[inception-2015 with weights 0a1b2c3d]"
    assert scores("vgg16").label("FD") == "FD[vgg16]"


def test_distances_are_rounded_only_where_they_are_written() -> None:
    found = Memorisation(network="net", fakes=[1 / 3], reals=[2 / 3], suspects=[])
    assert (found.fakes, found.model_dump()["reals"]) == ([1 / 3], [2 / 3])
    assert '"fakes":[0.3333333],"reals":[0.6666667]' in found.model_dump_json()


def test_the_memorisation_threshold_is_the_5th_percentile_of_the_reals() -> None:
    found = Memorisation(network="net", fakes=[], reals=[k / 100 for k in range(100, 0, -1)], suspects=[])
    assert found.threshold == 0.06
