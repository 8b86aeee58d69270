"""sling is listed, but not run: its package downloads the program at its first use."""

from bench.contender import Contender


def missing() -> str | None:
    return "its package downloads its program from elsewhere"


CONTENDERS = (Contender("sling, csv.gz", missing=missing),)
