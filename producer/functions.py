"""Azure Functions: the timer that enqueues what is due."""

import os
from datetime import UTC, datetime
from functools import cache

import azure.functions as func

from contracts.jobs_file import load_jobs
from producer.tick import tick
from settings import Settings
from telemetry.traces import origin_of

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@cache
def _settings() -> Settings:
    return Settings.from_env(os.environ)


@blueprint.timer_trigger("timer", schedule="%TAILRACE_TICK%")
def schedule_exports(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001  # the host passes it
    """Every tick: enqueues each due export that has neither a blob nor a live message."""
    settings = _settings()
    tick(settings, load_jobs(settings.jobs), datetime.now(UTC), origin_of(context))
