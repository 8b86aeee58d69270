"""The metrics by name. Alerts and the workbook in deploy/ rely on the names."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """A counter adds up; a histogram has count, sum, minimum and maximum; a gauge has the last value."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    description: str


EXPORTS = Metric("tailrace.exports", "counter", "{export}", "requests completed, by job and outcome")
ROWS = Metric("tailrace.rows", "counter", "{row}", "rows exported, by job")
BYTES = Metric("tailrace.bytes", "counter", "By", "bytes of the blobs written, by job")
SECONDS = Metric("tailrace.seconds", "histogram", "s", "from an export's begin to its commit, by job")
RETRIES = Metric(
    "tailrace.retries", "counter", "{delivery}", "deliveries that are to be tried again, by job and reason"
)
DEAD_LETTERS = Metric("tailrace.dead_letters", "counter", "{delivery}", "requests given up, by job and reason")
QUEUE_AGE = Metric("tailrace.queue_age_seconds", "histogram", "s", "from a message's enqueued time to a worker, by job")
WINDOW_LAG = Metric(
    "tailrace.window_lag_seconds", "gauge", "s", "at a tick, since the end of the oldest due window without a blob"
)
AUDIT_DRIFT = Metric(
    "tailrace.audit_drift", "gauge", "{window}", "at an audit, windows that differ from their source or have no blob"
)
DRILL_FAILURES = Metric("tailrace.drill_failures", "gauge", "{window}", "at a drill, windows that are not restorable")
METRICS = (EXPORTS, ROWS, BYTES, SECONDS, RETRIES, DEAD_LETTERS, QUEUE_AGE, WINDOW_LAG, AUDIT_DRIFT, DRILL_FAILURES)
