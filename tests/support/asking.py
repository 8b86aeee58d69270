"""Requests as a producer would send them."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from contracts.request import ExportRequest

RUN = datetime(2026, 2, 1, tzinfo=UTC)


def ask(table: str = "t", *, schema: str = "public", **more: Any) -> ExportRequest:
    """A request with a new id for a table; `query` asks for the query of that job."""
    source: dict[str, Any] = {"kind": "table", "schema": schema, "table": table, "columns": more.pop("columns", None)}
    query = more.pop("query", None)
    if query:
        source = {"kind": "query", "name": query}
    known = {"request_id": uuid4(), "job": query or "j", "source": source, "blob": "x/1.csv.gz", "run": RUN}
    return ExportRequest.model_validate({**known, **more})


def window(kind: str, column: str, start: object, end: object) -> dict[str, object]:
    return {"type": kind, "column": column, "start": start, "end": end}
