"""`tailrace completion`, and what a shell completes: job names, reasons of dead letters, states of windows."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from typer.completion import get_completion_script  # type: ignore[attr-defined]

from contracts.errors import TailraceError
from contracts.jobs_file import Jobs, load_jobs
from contracts.reasons import PERMANENT, TRANSIENT
from settings import Settings

_PROGRAM = "tailrace"
_VARIABLE = "_TAILRACE_COMPLETE"  # set by the scripts of all shells, and read by Typer


def completion(shell: Literal["bash", "zsh", "fish"]) -> None:
    """Print a script that completes commands, options, job names, reasons and states in a shell.

    Job names are those of jobs.toml at the time of completing: TAILRACE_JOBS, or the file beside function_app.py.

    Example: tailrace completion bash >> ~/.bashrc

    Example: tailrace completion fish > ~/.config/fish/completions/tailrace.fish
    """
    print(get_completion_script(prog_name=_PROGRAM, complete_var=_VARIABLE, shell=shell))


def job_names(incomplete: str) -> Iterator[tuple[str, str]]:
    """The jobs whose names begin so, each with what it exports; none if jobs.toml cannot be used."""
    for job in _jobs().values():
        if job.name.startswith(incomplete):
            yield job.name, f"{job.schema_name}.{job.table}" if job.query is None else "a query"


def reasons(incomplete: str) -> list[str]:
    """The reasons of dead letters that begin so."""
    return [one for one in sorted(PERMANENT | TRANSIENT) if one.startswith(incomplete)]


def states(incomplete: str) -> list[str]:
    """The states of windows that begin so."""
    from operations.coverage import STATES

    return [state for state in STATES if state.startswith(incomplete)]


def _jobs() -> Jobs:
    """The jobs of jobs.toml. Whoever presses Tab wants no errors, so there are none if it cannot be used."""
    try:
        return load_jobs(Path(os.environ.get("TAILRACE_JOBS") or Settings.model_fields["jobs"].default))
    except TailraceError:
        return Jobs({})
