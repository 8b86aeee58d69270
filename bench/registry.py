"""All contenders by name, in the order in which tables show them."""

from bench.contender import Contender
from bench.contenders import adbc, baseline, duckdb, in_memory, ours, recipes, shell, sling

_MODULES = (baseline, ours, recipes, shell, duckdb, adbc, sling, in_memory)


def load_contenders() -> dict[str, Contender]:
    """All of them. Raises ValueError if two have one name."""
    contenders = [contender for module in _MODULES for contender in module.CONTENDERS]
    found = {contender.name: contender for contender in contenders}
    if len(found) < len(contenders):
        raise ValueError("two contenders have one name")
    return found
