"""jobs.toml: every job that this deployment knows, checked as a whole when it is read."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from contracts.errors import ConfigurationError
from contracts.job import ExportJob
from contracts.model import describe

type Jobs = Mapping[str, ExportJob]


def load_jobs(path: Path) -> Jobs:
    """The jobs of a file by name. Raises ConfigurationError with one line for each problem."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file; set TAILRACE_JOBS to your jobs.toml") from None
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
            problems.append(f"{file}: {_title(table, number)}: {describe(error)}")
    problems += [f"{file}: {problem}" for problem in _clashes(jobs)]
    if problems:
        raise ConfigurationError("\n".join(problems))
    return MappingProxyType({job.name: job for job in jobs})


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
        blob = job.sample_blob
        if blob in blobs:
            problems.append(
                f"job {job.name!r}: blob: job {blobs[blob].name!r} writes the same names; put {{job}} into it"
            )
        blobs[blob] = job
    return problems
