"""Print what impasto and its extra ``train`` need, with the installed versions: the requirements of `make wheelhouse`.

Torch, and what only torch needs, is left out unless the argument is 1: Kaggle has it.
"""

import sys
from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

left_out = set() if sys.argv[1:] == ["1"] else {"torch"}
found, pending = set(), [("impasto", frozenset({"train"}))]
while pending:
    name, extras = pending.pop()
    for requirement in map(Requirement, distribution(name).requires or ()):
        wanted = any(requirement.marker is None or requirement.marker.evaluate({"extra": each}) for each in (*extras, ""))
        name = canonicalize_name(requirement.name)
        if wanted and name not in left_out | found:
            found.add(name)
            pending.append((name, frozenset(requirement.extras)))
for name in sorted(found - {"impasto"}):
    print(f"{name}=={distribution(name).version}")
