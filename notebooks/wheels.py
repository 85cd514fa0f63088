"""Print the requirements of `make wheelhouse`: what impasto and its extra ``train`` need, but torch and what only torch
needs, in the installed versions."""

from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

seen, pending = {"torch"}, [("impasto", {"train", ""})]
while pending:
    package, extras = pending.pop()
    for requirement in map(Requirement, distribution(package).requires or ()):
        name, marker = canonicalize_name(requirement.name), requirement.marker
        if name not in seen and (marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)):
            seen.add(name)
            pending.append((name, {*requirement.extras, ""}))
            print(f"{name}=={distribution(name).version}")
