"""Tailrace on the path of a message: handle_message, with an exporter opened from the settings."""

import importlib
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from bench.contender import Contender, Steps
from bench.job import Job

if TYPE_CHECKING:
    from contracts.request import ExportRequest


type Part = Literal["the compiled library", "printing"]


def ours(*, streams: int | None = None, is_warm: bool = False, without: Part | None = None, **output: Any) -> Steps:
    """streams: None leaves their number to the worker. is_warm: the second export of the process is the timed one."""

    def steps(job: Job) -> Iterator[None]:
        from settings import Settings
        from worker.assemble import open_worker
        from worker.cancellation import Cancellation
        from worker.message.delivery import Delivery, handle_message
        from worker.message.settlement import Complete

        if output.get("format") == "parquet":  # imports are not timed, of any contender
            importlib.import_module("worker.formats.parquet.export")
        _switch_off(without)
        with open_worker(Settings.from_env(os.environ | _limits(streams))) as worker:

            def export(blob: str) -> None:
                body = _request(next(iter(worker.exporter.jobs)), job, blob, streams, output).to_body()
                settlement = handle_message(Delivery(body, str(uuid4()), 1, 1), worker, Cancellation())
                assert isinstance(settlement, Complete), settlement

            if is_warm:
                export(f"warm/{job.blob}")
            yield
            export(job.blob)
            yield

    return steps


def _limits(streams: int | None) -> dict[str, str]:
    """The settings that let so many streams read; a connection is kept for the worker's other export."""
    return {"TAILRACE_POOL_SIZE": str(streams + 1), "TAILRACE_MAX_STREAMS": str(streams)} if streams else {}


def _switch_off(part: Part | None) -> None:
    from worker import plan
    from worker.native import library

    if part == "the compiled library":
        library.PATH = Path("switched-off")
    if part == "printing":
        plan._prints = lambda *_: False  # noqa: SLF001  # a switch that nobody but a benchmark needs
    assert (library.why_not() is None) is (part != "the compiled library"), library.why_not()


def _request(name: str, job: Job, blob: str, streams: int | None, output: dict[str, Any]) -> "ExportRequest":
    from contracts.output import Output
    from contracts.request import ExportRequest, TableSource

    return ExportRequest(
        request_id=uuid4(),
        job=name,
        source=TableSource(schema_name=job.schema, table=job.table),
        blob=blob,
        run=datetime.now(UTC).replace(microsecond=0),
        output=Output(**output),
        streams=streams,
    )


def missing_format(**output: Any) -> str | None:
    """Why the contract cannot express such an output; None if it can."""
    from pydantic import ValidationError

    from contracts.output import Output

    with suppress(ValidationError):
        Output(**output)
        return None
    return f"contracts.output has no {output} yet"


def _parquet_missing() -> str | None:
    return missing_format(format="parquet")


def _named(name: str, steps: Steps, **options: Any) -> Contender:
    return Contender(f"Tailrace, {name}", steps=steps, python="app", **options)


CONTENDERS = (
    _named("csv.gz, 1 stream", ours(streams=1), quick=True),
    _named("csv.gz, 2 streams", ours(streams=2), quick=True),
    _named("csv.gz, 1 stream, without the compiled loop", ours(streams=1, without="the compiled library")),
    *(_named(f"csv.gz, {count} streams", ours(streams=count), full=False) for count in (4, 8)),
    _named("csv.gz, as it decides", ours()),
    _named("csv.gz, as it decides, CSV from the server", ours(without="printing")),
    _named("csv.gz, as it decides, not verified", ours(verify=False)),
    _named("csv.gz, as it decides, second export of the process", ours(is_warm=True)),
    _named("csv.gz level 1, as it decides", ours(level=1)),
    _named("csv.gz level 5, as it decides", ours(level=5)),
    _named("csv.zst, as it decides", ours(compression="zstd"), suffix=".csv.zst"),
    _named("csv, as it decides", ours(compression="none"), suffix=".csv"),
    _named("parquet, 1 stream", ours(format="parquet", streams=1), suffix=".parquet", missing=_parquet_missing),
    _named("parquet, as it decides", ours(format="parquet"), suffix=".parquet", missing=_parquet_missing),
)
