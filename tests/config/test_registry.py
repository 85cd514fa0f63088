import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from impasto.config.registry import Registry
from impasto.errors import ImpastoError
from impasto.losses.adversarial import AdversarialLoss, bce_discriminator, bce_generator, wgan_generator

MODULE = """
from registries_of_test import THINGS

@THINGS.register("{name}")
def thing() -> str:
    return "{name}"
"""


@pytest.fixture
def things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[Callable[[], str]]:
    """A registry whose package has the modules ``one`` and ``two``, and a plugin with ``three``."""
    registry: Registry[Callable[[], str]] = Registry("thing", "package_of_test", "group_of_test")
    package, about = tmp_path / "package_of_test", tmp_path / "plugin_of_test-1.dist-info"
    package.mkdir()
    about.mkdir()
    (package / "__init__.py").touch()
    for name in ("one", "two"):
        (package / f"{name}.py").write_text(MODULE.format(name=name))
    (tmp_path / "plugin_of_test.py").write_text(MODULE.format(name="three"))
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-of-test\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[group_of_test]\nany = plugin_of_test\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = type(sys)("registries_of_test")
    module.THINGS = registry  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "registries_of_test", module)
    for name in ("package_of_test", "package_of_test.one", "package_of_test.two", "plugin_of_test"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return registry


def test_modules_of_the_package_and_of_plugins_are_found_at_the_first_look(
    things: Registry[Callable[[], str]],
) -> None:
    assert "package_of_test" not in sys.modules
    assert list(things) == ["one", "three", "two"] and len(things) == 3
    assert {name: thing() for name, thing in things.items()} == {"one": "one", "two": "two", "three": "three"}


def test_an_unknown_name_is_reported_with_the_most_similar_one(things: Registry[Callable[[], str]]) -> None:
    with pytest.raises(ImpastoError, match="There is no thing 'thre'; did you mean 'three'"):
        things.find("thre")


def test_two_things_cannot_have_one_name(things: Registry[Callable[[], str]]) -> None:
    def another() -> str:
        return ""

    assert things.find("one")() == "one"
    with pytest.raises(ValueError, match="two things register the thing 'one'"):
        things.register("one")(another)


def test_a_plugin_that_cannot_be_imported_is_reported_once_and_with_a_missing_name(
    things: Registry[Callable[[], str]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "plugin_of_test.py").write_text("import not_installed\n")
    assert list(things) == ["one", "two"] == list(things)
    assert caplog.text.count("The plugin plugin-of-test cannot be loaded") == 1 and "not_installed" in caplog.text
    with pytest.raises(ImpastoError, match=r"There is no thing 'three'.*plugin plugin-of-test cannot be loaded"):
        things.find("three")


def test_a_dataclass_of_functions_can_be_registered_again() -> None:
    """As a notebook does that runs a cell twice."""
    losses: Registry[AdversarialLoss] = Registry("loss", "impasto.losses", "none")
    for _ in range(2):
        losses.register("mine")(AdversarialLoss(bce_discriminator, wgan_generator))
    with pytest.raises(ValueError, match="two things register"):
        losses.register("mine")(AdversarialLoss(bce_discriminator, bce_generator))


def test_threads_that_look_at_the_same_time_all_see_everything(things: Registry[Callable[[], str]]) -> None:
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(len(things))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [3] * 8
