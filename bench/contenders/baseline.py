"""B0: what the server and the simplest client need to get the CSV out at all. Nothing is compressed or uploaded."""

from bench.contender import B0, Contender
from bench.job import Job
from bench.programs import psql


def command(job: Job) -> list[str]:
    return [psql(), "--no-psqlrc", "--quiet", "--command", job.copy]


CONTENDERS = (Contender(B0, command=command, python="app", suffix="", quick=True),)
