"""A study is only continued with the definition and the data that it was begun with."""

from pathlib import Path

import optuna
import pytest

from fixtures.studies import open_small, small_definition, small_recipe
from impasto.errors import ImpastoError
from impasto.tuning.storage import open_storage
from impasto.tuning.study import require_name, require_same_data, scores_unseen


def test_a_study_of_another_definition_is_refused_with_what_differs(tmp_path: Path) -> None:
    open_small(tmp_path, journal=True)
    open_small(tmp_path, journal=True)
    with pytest.raises(ImpastoError, match=r"'s' has another definition \(budget is 10m there and 20m here\): choose"):
        open_small(tmp_path, journal=True, budget="20m")
    with pytest.raises(ImpastoError, match=r"definition \(batch is 8 there and 4 here; seeds is 1 there and 2 here\)"):
        open_small(tmp_path, journal=True, recipe=small_recipe(batch=4), seeds=2)


def test_a_recipe_that_this_version_cannot_read_is_named_as_the_reason(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    study.set_user_attr("definition", study.user_attrs["definition"] | {"recipe": "method: telepathy\n"})
    with pytest.raises(ImpastoError, match=r"recipe that this version cannot read \(.*telepathy"):
        open_small(tmp_path, journal=True)


def test_other_images_are_refused(tmp_path: Path) -> None:
    study = open_small(tmp_path, journal=True)
    require_same_data(study, {"paintings": "a", "photos": "b"})
    require_same_data(open_small(tmp_path, journal=True), {"paintings": "a", "photos": "b"})
    with pytest.raises(ImpastoError, match="These photos are not the same images as in the other trials of study 's'"):
        require_same_data(study, {"paintings": "a", "photos": "c"})


@pytest.mark.parametrize("definition", [7, {}, {"recipe": None}, {"recipe": "a: &a [*a]"}, {"recipe": "a: 1\na: 2"}])
def test_a_definition_that_another_program_wrote_is_refused_in_one_line(tmp_path: Path, definition: object) -> None:
    open_small(tmp_path, journal=True).set_user_attr("definition", definition)
    with pytest.raises(ImpastoError, match="'s' has a recipe that this version cannot read"):
        open_small(tmp_path, journal=True)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", "C:x", "a\n", "\x1b[2J", " a", "a.", "x" * 300])
def test_a_name_that_is_no_name_of_a_folder_is_refused(name: str) -> None:
    with pytest.raises(ImpastoError, match="also the name of a folder"):
        require_name(name)


@pytest.mark.parametrize("name", ["dcgan-64", "monet (2)", "Études 梅", "a.b"])
def test_other_names_are_accepted(name: str) -> None:
    require_name(name)


def test_all_trials_of_a_study_are_scored_against_the_images_that_it_was_created_for(tmp_path: Path) -> None:
    for name, enough in (("a", True), ("b", False)):
        assert scores_unseen(open_small(tmp_path / name, journal=True, unseen=enough)) is enough
        assert scores_unseen(open_small(tmp_path / name, journal=True, unseen=not enough)) is enough


def test_a_study_of_an_earlier_version_is_scored_against_the_training_images(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "study.log"))
    earlier = optuna.create_study(storage=storage, study_name="s")
    earlier.set_user_attr("definition", small_definition().to_json())
    again = open_small(tmp_path, journal=True, unseen=True)
    assert scores_unseen(again) is False and "unseen" not in again.user_attrs
