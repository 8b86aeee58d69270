"""One [[job]] of jobs.toml: what is exported, by which windows, when, and to which blob names."""

import re
from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.blob_name import RECORDS, TemplateError, prefix_of, render
from contracts.grid import Grid, IntegerGrid, TimeGrid
from contracts.model import Flag, Identifier, JobName, Model, Whole
from contracts.namer import Namer, namer
from contracts.naming import SAMPLES, check_template, sample_name, unit_between_runs
from contracts.ncrontab import Ncrontab
from contracts.output import Output
from contracts.request import Closing, QuerySource, Source, Streams, TableSource

# Placeholders in a query for the bounds of its window.
BOUND = re.compile(r"\{(window_start|window_end)\}")


class ExportJob(Model):
    """What one job exports, when and where to. Problems read `file: job: field: reason`."""

    name: JobName
    schema_name: Annotated[Identifier | None, Field(alias="schema")] = None
    table: Identifier | None = None
    columns: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=1600)] | None = None
    query: Annotated[str, Field(min_length=1)] | None = None
    blob: str
    window: Grid | None = None
    schedule: Ncrontab | None = None
    revision: Annotated[int, Field(ge=1), Whole] = 1
    if_exists: Literal["refuse", "replace"] = "refuse"
    output: Output = Output()
    streams: Streams = None
    enabled: Flag = True

    @property
    def source(self) -> Source:
        """The source that this job's requests name; the text of a query stays here."""
        if self.query is not None:
            return QuerySource(name=self.name)
        assert self.schema_name is not None
        assert self.table is not None
        return TableSource(schema_name=self.schema_name, table=self.table, columns=self.columns)

    @property
    def closing(self) -> Closing:
        """How the windows of this job are proven closed."""
        if self.window is None:
            return Closing(by="delay")
        grid = self.window
        return Closing(by=grid.closed, wait_seconds=grid.closed_wait.total_seconds(), otherwise=grid.if_open)

    @property
    def version(self) -> str:
        """A hash of what an export of this job depends on; dead letters of another version are asked for again.

        A key with its default does not count, so that a release with a new key asks for nothing again.
        """
        content = self.model_dump_json(exclude={"schedule", "if_exists", "enabled"}, exclude_defaults=True)
        return sha256(content.encode()).hexdigest()[:12]

    @property
    def is_scheduled(self) -> bool:
        """Whether the timer exports this job; other jobs are only exported on request."""
        return self.enabled and (self.schedule is not None or isinstance(self.window, TimeGrid))

    def blob_for(self, **times: object) -> str:
        """The blob name with window_start and window_end, or run, filled in."""
        return render(self.blob, {**self._fixed_names(), **times})

    def namer(self) -> Namer:
        """Gives the blob names of many windows, as `blob_for` does and ten times as fast."""
        kind = "run" if self.window is None else self.window.type
        return namer(self.blob, self._fixed_names(), kind)

    @property
    def blob_prefix(self) -> str:
        """The common prefix of the names of this job's blobs."""
        return prefix_of(self.blob, self._fixed_names())

    @property
    def sample_blobs(self) -> set[str]:
        """The blob names at fixed moments, the same for all jobs: two jobs that share one of these would share others.

        The moments are the first and last days of months and years, at midnight and not, since a template may write
        any part of a time.
        """
        return {sample_name(self.blob, self._fixed_names(), self.window, number) for number in range(SAMPLES)}

    @model_validator(mode="after")
    def _names_one_source(self) -> Self:
        table_keys = {"schema": self.schema_name, "table": self.table, "columns": self.columns}
        given = [key for key, value in table_keys.items() if value is not None]
        if self.query is not None and given:
            raise ValueError(f"query: {given[0]} excludes it, a job exports a query or a table")
        if self.query is None and (self.schema_name is None or self.table is None):
            lacking = "schema" if self.schema_name is None else "table"
            raise ValueError(f"{lacking}: missing; a job needs schema and table, or query")
        return self

    @model_validator(mode="after")
    def _query_is_one_statement(self) -> Self:
        text = (self.query or "").strip().rstrip(";").rstrip()
        if self.query is not None and not text:
            raise ValueError("query: it is empty")
        if ";" in text:
            raise ValueError("query: it must be a single statement; ';' is allowed only at its end")
        bounds = set(BOUND.findall(text))
        if self.window is None and bounds:
            raise ValueError("query: {window_start} and {window_end} need [job.window]")
        if len(bounds) == 1:
            raise ValueError(f"query: it has only {{{bounds.pop()}}}, and no other end of the window; use both")
        return self

    @model_validator(mode="after")
    def _clock_fits(self) -> Self:
        if self.schedule is not None and isinstance(self.window, IntegerGrid):
            raise ValueError(
                "schedule: a window of whole numbers is closed by no clock; leave schedule out, use backfill"
            )
        return self

    @model_validator(mode="after")
    def _name_tells_the_form(self) -> Self:
        wrong = [suffix for suffix in (".gz", ".zst", ".parquet") if self.blob.endswith(suffix)]
        if wrong and not self.output.suffix.endswith(wrong[0]):
            raise ValueError(f"blob: its name ends in {wrong[0]}, but the output is {self.output.suffix}")
        return self

    @model_validator(mode="after")
    def _output_names_its_columns(self) -> Self:
        for key, name in self.output.named_columns:
            if self.columns is not None and name not in self.columns:
                raise ValueError(f"output.{key}: column {name!r} is not among columns")
        return self

    @model_validator(mode="after")
    def _names_are_apart(self) -> Self:
        run_unit = None if self.if_exists == "replace" else unit_between_runs(self.schedule)
        try:
            check_template(self.blob, self._fixed_names(), self.window, run_unit)
        except TemplateError as error:
            raise ValueError(f"blob: {error}") from None
        if self.blob_prefix.startswith(RECORDS):
            raise ValueError(f"blob: names that begin with {RECORDS} are for Tailrace's own records")
        return self

    def _fixed_names(self) -> dict[str, str]:
        names = {"job": self.name, "schema": self.schema_name, "table": self.table}
        return {key: value for key, value in names.items() if value is not None}
