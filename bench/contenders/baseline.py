"""B0: the least that server and client need to read the CSV, without compressing or uploading it."""

from bench.contender import B0, Contender
from bench.job import Job
from bench.programs import psql


def command(job: Job) -> list[str]:
    return [psql(), "--no-psqlrc", "--quiet", "--command", job.copy]


CONTENDERS = (Contender(B0, command=command, python="app", suffix="", quick=True),)
