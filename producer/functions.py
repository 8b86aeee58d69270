"""Azure Functions: the timer that enqueues what is due, and HTTP POST /api/exports that submits one request."""

import os
from datetime import UTC, datetime
from functools import cache

import azure.functions as func

from contracts.jobs_file import load_jobs
from contracts.message import trace_of
from producer.submit import submit_over_http
from producer.tick import tick
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
    tick(settings, load_jobs(settings.jobs), datetime.now(UTC), _origin(context))


@blueprint.route("exports", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
def submit(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Submits one export: 202 with the request, 200 if it needs no sending, or 400 with the problem."""
    settings = _settings()
    with span("enqueue one", origin=_origin(context)):
        answer = submit_over_http(req.get_body(), settings, datetime.now(UTC))
    return func.HttpResponse(answer.body, status_code=answer.status, mimetype="application/json")


def _origin(context: func.Context) -> Origin:
    call = context.trace_context
    return Origin(call=trace_of({"traceparent": call.trace_parent, "tracestate": call.trace_state}))
