"""Azure Functions: the timer that audits all jobs; only an app with TAILRACE_AUDIT has it."""

import logging
import os
from datetime import UTC, datetime

import azure.functions as func

from contracts.errors import TailraceError
from producer.ask import AskRefused
from settings import Settings
from telemetry.events import event
from telemetry.traces import annotate, origin_of, span

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]
_log = logging.getLogger(__name__)
_NAMED = 20  # windows of one job that are named in the log


@blueprint.timer_trigger("timer", schedule="%TAILRACE_AUDIT%")
def audit_exports(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001  # the host passes it
    """Audits every job that has windows, for as long as the budget lasts; what differs is logged and measured."""
    # Most processes of the app never serve this function.
    from operations.auditing import Auditing

    settings = Settings.from_env(os.environ)
    with span("audit", origin=origin_of(context)), Auditing.opened(settings) as auditing:
        drift = failed = 0
        for job, found in auditing.audit_all(settings.audit_budget_seconds, datetime.now(UTC)):
            if isinstance(found, TailraceError):
                is_idle = isinstance(found, AskRefused)
                failed += not is_idle
                says = "nothing to audit" if is_idle else "audit failed"
                event(_log, logging.INFO if is_idle else logging.ERROR, says, job=job.name, error=found.explained)
                continue
            drift += len(found.drift)
            for one in found.drift[:_NAMED]:
                event(_log, logging.ERROR, "drift", job=job.name, window=one.window.start, kind=one.kind, says=one.says)
        annotate(drift=drift, failed=failed)
