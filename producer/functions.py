"""Azure Functions: the timer that enqueues what is due."""

import os
from datetime import UTC, datetime
from functools import cache

import azure.functions as func

from contracts.jobs_file import load_jobs
from contracts.message import trace_of
from producer.enqueue import enqueue_due
from producer.queue import ExportQueue
from producer.store import BlobIndex
from settings import Settings
from telemetry.traces import Origin, span

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@cache
def _settings() -> Settings:
    return Settings.from_env(os.environ)


@blueprint.timer_trigger("timer", schedule="%TAILRACE_TICK%")
def schedule_exports(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001  # the host passes it
    """Every tick: enqueues each due export that has neither a blob nor a live message."""
    settings = _settings()
    with span("enqueue due", origin=origin_of(context)), ExportQueue(settings) as queue:
        enqueue_due(load_jobs(settings.jobs), BlobIndex(settings), queue, datetime.now(UTC), settings.queue_limit)


def origin_of(context: func.Context) -> Origin:
    """The trace that the host began for a call."""
    call = context.trace_context
    return Origin(call=trace_of({"traceparent": call.trace_parent, "tracestate": call.trace_state}))
