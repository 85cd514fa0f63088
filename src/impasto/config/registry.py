"""Registries: everything that can be named in a recipe or on the command line is found here.

A registered thing is one class or function in one file of its package, with one decorator. Another installed package
adds its own through an entry point of the registry's group; the entry point names the module that registers them.
"""

import logging
import pkgutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from impasto.errors import ImpastoError, nearest

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Things of one kind by name: those of a package of impasto's, and those of other packages' entry points.

    The modules are imported at the first look, so that a registry costs nothing before. A plugin that cannot be loaded
    is reported once, and again by whoever asks for a name that is missing.
    """

    def __init__(self, kind: str, package: str, group: str) -> None:
        """
        Args:
            kind: what one thing is called in an error, such as "loss".
            package: the package whose modules register the built-in ones, such as ``impasto.losses``.
            group: the entry-point group of other packages' modules, such as ``impasto.losses``.
        """
        self.kind, self._package, self._group = kind, package, group
        self._things: dict[str, T] = {}
        self._loaded = self._loading = False
        self._lock = threading.RLock()
        self._failures: list[str] = []  # of plugins

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that gives a thing its name. ValueError if another thing has it."""

        def decorate(thing: T) -> T:
            before = self._things.setdefault(name, thing)
            if before is not thing and _place(before) != _place(thing):
                raise ValueError(f"two things register the {self.kind} {name!r}: {_place(before)} and {_place(thing)}")
            self._things[name] = thing
            return thing

        return decorate

    def find(self, name: str) -> T:
        """The thing of that name. ImpastoError, with the most similar name, if there is none."""
        if name not in self:
            failures = "".join(f" {failure}" for failure in self._failures)
            raise ImpastoError(f"There is no {self.kind} '{name}'{nearest(name, self)}{failures}")
        return self[name]

    def __getitem__(self, name: str) -> T:
        self._load()
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._things))

    def __len__(self) -> int:
        self._load()
        return len(self._things)

    def _load(self) -> None:
        if self._loaded:
            return
        with self._lock:  # other threads wait until all modules are imported
            if self._loaded or self._loading:  # a module that is being imported may look into the registry
                return
            self._loading = True
            try:
                self._import_modules()
                self._loaded = True
            finally:
                self._loading = False

    def _import_modules(self) -> None:
        package = import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__, f"{self._package}."):
            import_module(module.name)
        for point in entry_points(group=self._group):
            try:
                point.load()
            except Exception as error:
                self._failures.append(plugin_failure(point, error))
                _log.error(self._failures[-1])


def plugin_failure(point: EntryPoint, error: Exception) -> str:
    """What to say of a plugin that cannot be loaded. It is no reason to refuse a command that does not need it."""
    name = point.dist.name if point.dist else point.value
    return f"The plugin {name} cannot be loaded ({point.value}: {error}): update or uninstall it."


def _place(thing: object) -> str:
    """Module and name of a class or function, or of the functions of a dataclass: they stay the same when a module is
    reloaded."""
    if is_dataclass(thing) and not isinstance(thing, type):
        return f"{type(thing).__name__}({', '.join(_place(getattr(thing, each.name)) for each in fields(thing))})"
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', repr(thing))}"
