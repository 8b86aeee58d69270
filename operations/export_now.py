"""One export in the foreground: the code path of a worker, without a queue."""

from collections.abc import Callable
from datetime import UTC, datetime

from connections.storage import tag_of
from contracts.errors import TailraceError, WindowOpen
from contracts.request import ExportRequest
from settings import Settings
from telemetry.fields import context
from telemetry.traces import span
from worker.assemble import open_exporter
from worker.cancellation import Cancellation
from worker.existing import Exported
from worker.export import Exporter, run_export
from worker.message import report

_LOOK_SECONDS = 2.0  # between two looks at a window that is not closed


def export_now(
    settings: Settings,
    request: ExportRequest,
    cancelled: Cancellation,
    *,
    again: bool = False,
    waiting: Callable[[TailraceError], object] | None = None,
) -> Exported:
    """Exports `request` now; `again` replaces the blob that is there, whoever wrote it.

    A window that is not closed is refused; with `waiting` it is waited for as its job says, and `waiting` is called
    with the reason at each look. Raises one of contracts.errors' Permanent or Transient errors; then nothing has
    changed. Setting `cancelled` ends it by ExportInterrupted, unless the blob is committed by then.
    """
    with span("export one", job=request.job), context(attempt=1), open_exporter(settings) as exporter:
        # An export waits for a server that is away; a person does not want to.
        exporter.source.check()
        if again and (found := exporter.sink.find(request.blob)):
            request = request.model_copy(update={"replaces": tag_of(found.etag)})
        with report.began(request, attempt=1, enqueued_at=None) as export:
            done = _exported(request, exporter, cancelled, waiting)
            export.done(done)
    return done


def _exported(
    request: ExportRequest,
    exporter: Exporter,
    cancelled: Cancellation,
    waiting: Callable[[TailraceError], object] | None,
) -> Exported:
    waits_since = datetime.now(UTC)
    while True:
        try:
            return run_export(request, exporter, cancelled, waits_since)
        except WindowOpen as error:
            if waiting is None:
                says = f"nothing was exported: {error}"
                raise WindowOpen(says, advice="end that transaction, or wait for it by --wait") from None
            waiting(error)
            cancelled.wait(_LOOK_SECONDS)
            cancelled.raise_if_set()
