"""Azure Functions: the timer that enqueues what is due."""

import os
from datetime import UTC, datetime
from functools import cache

import azure.functions as func

from contracts.jobs_file import load_jobs
from contracts.message import trace_of
from producer.tick import tick
from settings import Settings
from telemetry.traces import Origin

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@cache
def _settings() -> Settings:
    return Settings.from_env(os.environ)


@blueprint.timer_trigger("timer", schedule="%TAILRACE_TICK%")
def schedule_exports(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001  # the host passes it
    """Every tick: enqueues each due export that has neither a blob nor a live message."""
    settings = _settings()
    tick(settings, load_jobs(settings.jobs), datetime.now(UTC), origin_of(context))


def origin_of(context: func.Context) -> Origin:
    """The trace that the host began for a call."""
    call = context.trace_context
    return Origin(call=trace_of({"traceparent": call.trace_parent, "tracestate": call.trace_state}))
