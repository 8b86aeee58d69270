"""jobs.toml: the jobs of a deployment, validated as a whole when it is read."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import override

from pydantic import ValidationError

from contracts.errors import ConfigurationError, Problem
from contracts.job import ExportJob
from contracts.model import describe_each


class Jobs(Mapping[str, ExportJob]):
    """The jobs of a deployment by name. `hints` are improvements to the file, one line each."""

    def __init__(self, jobs: Mapping[str, ExportJob], hints: tuple[str, ...] = ()) -> None:
        self._jobs = jobs
        self.hints = hints

    @override
    def __getitem__(self, name: str) -> ExportJob:
        return self._jobs[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._jobs)

    @override
    def __len__(self) -> int:
        return len(self._jobs)


def load_jobs(path: Path) -> Jobs:
    """The jobs of a file by name. Raises ConfigurationError with one line for each problem."""
    try:
        # Some editors begin a file with a byte order mark.
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file", advice="set TAILRACE_JOBS to your jobs.toml") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: no valid TOML: {error}") from None
    return parse_jobs(document, str(path))


def parse_jobs(document: Mapping[str, object], file: str = "jobs.toml") -> Jobs:
    """The jobs of a parsed document by name.

    >>> parse_jobs({"job": [{"name": "a", "schema": "s", "table": "t", "blob": "/x", "if_exists": "replace"}]})
    Traceback (most recent call last):
    contracts.errors.ConfigurationError: jobs.toml: job 'a': blob: a blob name cannot have an empty, \
'.' or '..' path segment, nor one that ends in a dot
    """
    problems = [f"{file}: unknown key {key!r}; jobs are written as [[job]]" for key in document if key != "job"]
    tables = document.get("job", [])
    if not isinstance(tables, list) or not tables:
        problems.append(f"{file}: no [[job]] in it")
        tables = []
    jobs: list[ExportJob] = []
    for number, table in enumerate(tables, 1):
        try:
            jobs.append(ExportJob.model_validate(table))
        except ValidationError as error:
            problems += [f"{file}: {_title(table, number)}: {line}" for line in describe_each(error)]
    problems += [f"{file}: {problem}" for problem in _clashes(jobs)]
    if problems:
        raise ConfigurationError.of(map(Problem, problems))
    return Jobs({job.name: job for job in jobs}, tuple(_hints(tables, file)))


def _hints(tables: list[object], file: str) -> Iterator[str]:
    for number, table in enumerate(tables, 1):
        if isinstance(table, Mapping) and "parts" in table:
            yield f"{file}: {_title(table, number)}: parts is called streams now; the old name is still read"


def _title(table: object, number: int) -> str:
    name = table.get("name") if isinstance(table, dict) else None
    return f"job {name!r}" if isinstance(name, str) else f"job number {number}"


def _clashes(jobs: list[ExportJob]) -> list[str]:
    problems = []
    names: dict[str, ExportJob] = {}
    blobs: dict[str, ExportJob] = {}
    for job in jobs:
        if job.name in names:
            problems.append(f"job {job.name!r}: name: two jobs have it")
        names[job.name] = job
        same = next((blobs[blob] for blob in job.sample_blobs if blob in blobs), None)
        if same is not None:
            problems.append(f"job {job.name!r}: blob: job {same.name!r} writes the same names; add {{job}}")
        blobs.update(dict.fromkeys(job.sample_blobs, job))
    return problems
