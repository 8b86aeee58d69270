"""B0: what the server and the simplest client need to get the CSV out at all. Nothing is compressed or uploaded."""

from bench.job import Job
from bench.programs import psql
from bench.registry import B0, Contender, register


def command(job: Job) -> list[str]:
    return [psql(), "--no-psqlrc", "--quiet", "--command", job.copy]


register(Contender(B0, command=command, python="app", suffix="", quick=True))
