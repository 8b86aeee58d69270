"""jobs.toml: the jobs of a deployment, validated when it is read."""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import override

from pydantic import ValidationError

from contracts.entries import Entry, defaults_problems, entries_of
from contracts.errors import ConfigurationError, Problem
from contracts.job import ExportJob
from contracts.model import describe_each


@dataclass(frozen=True, slots=True)
class Disabled:
    """A job of the file that cannot be used. `name` is None if it has none; each problem is `file: job: field: why`."""

    name: str | None
    problems: tuple[str, ...]


class Jobs(Mapping[str, ExportJob]):
    """The usable jobs of a deployment by name, and those that are disabled until somebody corrects them.

    `hints` are improvements to the file, one line each.
    """

    def __init__(
        self, jobs: Mapping[str, ExportJob], hints: tuple[str, ...] = (), disabled: tuple[Disabled, ...] = ()
    ) -> None:
        self._jobs = jobs
        self.hints = hints
        self.disabled = disabled

    def why_disabled(self, name: str | None) -> tuple[str, ...]:
        """The problems of a job that is in the file and cannot be used; none if it is usable or not in the file."""
        return next((one.problems for one in self.disabled if one.name == name and name is not None), ())

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
    """The jobs of a file by name. Raises ConfigurationError if it is no TOML, or if none of its jobs can be used."""
    try:
        # Some editors begin a file with a byte order mark.
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file", advice="set TAILRACE_JOBS to your jobs.toml") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is no UTF-8 text", advice="save it as UTF-8") from None
    except IsADirectoryError:
        raise ConfigurationError(
            f"{path}: is a folder", advice=f"name the file, such as {path / 'jobs.toml'}"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from None
    except RecursionError:
        raise ConfigurationError(f"{path}: no valid TOML: it is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        is_twice = "Cannot declare ('job',) twice" in str(error)
        advice = "begin each job by [[job]], in two brackets" if is_twice else None
        raise ConfigurationError(f"{path}: no valid TOML: {error}", advice=advice) from None
    return parse_jobs(document, str(path))


def parse_jobs(document: Mapping[str, object], file: str = "jobs.toml") -> Jobs:
    """The jobs of a parsed document by name. A job that cannot be used is disabled, and the others are not.

    `[defaults]` are filled into each job, and an entry with `tables` is a job for each of them. Raises
    ConfigurationError, one line for each problem, if the document is no list of jobs or none can be used.

    >>> parse_jobs({"job": [{"name": "a", "schema": "s", "table": "t", "blob": "/x", "if_exists": "replace"}]})
    Traceback (most recent call last):
    contracts.errors.ConfigurationError: jobs.toml: job 'a': blob: a blob name cannot have an empty, \
'.' or '..' path segment, nor one that ends in a dot
    """
    unknown = [key for key in document if key not in {"job", "defaults"}]
    problems = [f"{file}: unknown key {key!r}; jobs are written as [[job]]" for key in unknown]
    problems += [f"{file}: {problem}" for problem in defaults_problems(document.get("defaults", {}))]
    tables = document.get("job", [])
    if not isinstance(tables, list) or not tables:
        problems.append(f"{file}: no [[job]] in it")
        tables = []
    defaults = document.get("defaults", {})
    jobs, disabled = _checked(list(entries_of(tables, defaults if isinstance(defaults, Mapping) else {})), file)
    if problems or not jobs:
        raise ConfigurationError.of(map(Problem, [*problems, *(line for one in disabled for line in one.problems)]))
    return Jobs(jobs, tuple(_hints(tables, file)), tuple(disabled))


def _checked(entries: Sequence[Entry], file: str) -> tuple[dict[str, ExportJob], list[Disabled]]:
    """The usable jobs by name, and the others."""
    valid: list[ExportJob] = []
    disabled: list[Disabled] = []
    for entry in entries:
        lines = [entry.problem] if entry.problem else []
        try:
            if not entry.problem:
                valid.append(ExportJob.model_validate(entry.keys))
        except ValidationError as error:
            lines = list(describe_each(error, ExportJob))
        if lines:
            title = _title(entry.keys, entry.number)
            disabled.append(Disabled(_name(entry.keys), tuple(f"{file}: {title}: {line}" for line in lines)))
    clashes = _clashes(valid, Counter(_name(entry.keys) for entry in entries))
    disabled += [Disabled(name, (f"{file}: job {name!r}: {problem}",)) for name, problem in clashes.items()]
    return {job.name: job for job in valid if job.name not in clashes}, disabled


def _hints(tables: list[object], file: str) -> Iterator[str]:
    for number, table in enumerate(tables, 1):
        if isinstance(table, Mapping) and "parts" in table:
            yield f"{file}: {_title(table, number)}: parts is called streams now; the old name is still read"


def _title(table: object, number: int) -> str:
    name = _name(table)
    return f"job number {number}" if name is None else f"job {name!r}"


def _name(table: object) -> str | None:
    name = table.get("name") if isinstance(table, Mapping) else None
    return name if isinstance(name, str) else None


def _clashes(jobs: Sequence[ExportJob], names: Mapping[str | None, int]) -> dict[str, str]:
    """What is wrong with jobs beside each other, by name. `names` counts those of all jobs of the file.

    All jobs of one name are wrong: nobody knows which is meant. Of two that write the same blobs, the later one is.
    """
    problems: dict[str, str] = {}
    blobs: dict[str, ExportJob] = {}
    for job in jobs:
        if names[job.name] > 1:
            problems[job.name] = "name: two jobs have it"
        elif same := next((blobs[blob] for blob in job.sample_blobs if blob in blobs), None):
            problems[job.name] = f"blob: job {same.name!r} writes the same names; add {{job}}"
        else:
            blobs.update(dict.fromkeys(job.sample_blobs, job))
    return problems
