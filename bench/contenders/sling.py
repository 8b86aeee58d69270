"""sling is named, but not run: its package brings no program, it downloads one from elsewhere at its first use."""

from bench.contender import Contender


def missing() -> str | None:
    return "its package downloads its program from elsewhere"


CONTENDERS = (Contender("sling, csv.gz", missing=missing),)
