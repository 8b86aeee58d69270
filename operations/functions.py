"""Azure Functions: the timers that audit and drill all jobs; only an app with their setting has them."""

import logging
import os
from datetime import UTC, datetime

import azure.functions as func

from contracts.errors import TailraceError
from contracts.job import ExportJob
from producer.ask import AskRefused
from settings import Settings
from telemetry.events import event
from telemetry.traces import annotate, origin_of, span

audits = func.Blueprint()  # type: ignore[no-untyped-call]
drills = func.Blueprint()  # type: ignore[no-untyped-call]
_log = logging.getLogger(__name__)
_NAMED = 20  # windows of one job that are named in the log


@audits.timer_trigger("timer", schedule="%TAILRACE_AUDIT%")
def audit_exports(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001  # the host passes it
    """Audits every job that has windows, for as long as the budget lasts; what differs is logged and measured."""
    # Most processes of the app never serve this function.
    from operations.auditing import Auditing

    settings = Settings.from_env(os.environ)
    with span("audit", origin=origin_of(context)), Auditing.opened(settings) as auditing:
        drift = failed = 0
        for job, found in auditing.audit_all(settings.audit_budget_seconds, datetime.now(UTC)):
            if isinstance(found, TailraceError):
                failed += _failed(job, found, "audit")
                continue
            drift += len(found.drift)
            for one in found.drift[:_NAMED]:
                event(_log, logging.ERROR, "drift", job=job.name, window=one.window.start, kind=one.kind, says=one.says)
        annotate(drift=drift, failed=failed)


@drills.timer_trigger("timer", schedule="%TAILRACE_DRILL%")
def drill_exports(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001  # the host passes it
    """Restores some windows of every job into a scratch schema, compares and drops them; what fails is logged."""
    # Most processes of the app never serve this function.
    from operations.drilling import Drilling, Sample

    settings = Settings.from_env(os.environ)
    server = settings.drill_server.get_secret_value() if settings.drill_server else None
    with span("drill", origin=origin_of(context)), Drilling.opened(settings, server) as drilling:
        failed = 0
        sample = Sample(settings.drill_sample)
        for job, found in drilling.drill_all(sample, settings.drill_budget_seconds, datetime.now(UTC)):
            if isinstance(found, TailraceError):
                failed += _failed(job, found, "drill")
                continue
            failed += found.failed
            for one in found.found:
                if one.problems:
                    says = "; ".join(one.problems)
                    event(_log, logging.ERROR, "not restorable", job=job.name, blob=one.blob, says=says)
        annotate(failed=failed)


def _failed(job: ExportJob, error: TailraceError, what: str) -> bool:
    """Logs why a job could not be worked on; False if there was only nothing to do."""
    is_idle = isinstance(error, AskRefused)
    says = f"nothing to {what}" if is_idle else f"{what} failed"
    event(_log, logging.INFO if is_idle else logging.ERROR, says, job=job.name, error=error.explained)
    return not is_idle
