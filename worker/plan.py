"""How an export reads: by how many streams, which parts, in what form."""

import logging
from contextlib import nullcontext
from dataclasses import dataclass

from psycopg import sql

from connections.round_trip import round_trip_s
from contracts.receipt import SourceColumn
from contracts.request import ExportRequest
from telemetry.events import event
from worker.blob.buffers import PARQUET_STREAMS
from worker.formats.parquet import require_parquet
from worker.native.library import native
from worker.source.catalogue import column_types, output_functions
from worker.source.printing import Printing, is_worth_printing, printing_of, types_to_convert
from worker.source.readers import Selects
from worker.source.snapshot import Snapshot
from worker.source.split import Limits, Streams, streams_wanted

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """How an export reads. `shared` is the snapshot's name for further streams; `printing` as in Form."""

    streams: Streams
    selects: Selects
    shared: str
    columns: tuple[SourceColumn, ...]
    printing: Printing | None


def planned(request: ExportRequest, snapshot: Snapshot, selected: sql.Composed, limits: Limits) -> Plan:
    """Asks PostgreSQL what is needed to decide, in one round trip; nothing for a small export of known types."""
    is_parquet, columns = request.output.format == "parquet", snapshot.columns
    if is_parquet:
        require_parquet()
        limits = limits.at_most(PARQUET_STREAMS)
    streams = _streams(request, snapshot, limits)
    prints = not is_parquet and _prints(snapshot)
    connection, are_several = snapshot.connection, streams.count > 1
    with connection.pipeline() if are_several else nullcontext():
        types = column_types(connection, columns)
        functions = output_functions(connection, types_to_convert(columns)) if prints else None
        selects = Selects(request, snapshot, selected, are_several=are_several)
        shared = snapshot.export() if are_several else str
    printing = printing_of(columns, request.output, functions()) if functions else None
    return Plan(streams, selects, shared(), types(), printing)


def _prints(snapshot: Snapshot) -> bool:
    """Whether rows are printed here, since that saves CPU time."""
    return native() is not None and is_worth_printing(snapshot.columns, snapshot.planned.row_bytes)


def _streams(request: ExportRequest, snapshot: Snapshot, limits: Limits) -> Streams:
    round_trip, size = round_trip_s(snapshot.connection.pgconn.socket), snapshot.estimated_bytes
    chosen = streams_wanted(request, size, limits, round_trip)
    if chosen.count > 1:
        far = {"round_trip_ms": round(round_trip * 1000, 1), "carrying": chosen.carrying}
        event(_log, logging.INFO, "streams chosen", streams=chosen.count, by=chosen.by, bytes=size, **far)
    return chosen
