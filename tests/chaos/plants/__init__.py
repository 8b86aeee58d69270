"""Faults of the product, built into a worker one at a time: what the checker must find.

Each replaces one function of the product in the worker's process. Nothing of the product knows of it.
"""

from chaos.plants import commit, message, owner, process, reading, receipt
from chaos.plants.plant import PLANTS, Plant

__all__ = ["PLANTS", "Plant", "commit", "message", "owner", "process", "reading", "receipt"]
