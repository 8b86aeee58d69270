"""The metrics as instruments of OpenTelemetry's SDK."""

import time
from collections.abc import Iterable, Iterator, Mapping
from threading import Lock

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from telemetry.catalogue import METRICS, Metric

# Seconds, from a small table to the longest export that a container may run.
_BOUNDARIES = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200)


class Instruments:
    """The instruments by name; safe for threads."""

    def __init__(self, meter: Meter, fresh_seconds: float) -> None:
        """`fresh_seconds`: for how long a gauge's value is reported."""
        self._counters = {m.name: meter.create_counter(m.name, m.unit, m.description) for m in _of("counter")}
        self._histograms = {
            m.name: meter.create_histogram(
                m.name, m.unit, m.description, explicit_bucket_boundaries_advisory=_BOUNDARIES
            )
            for m in _of("histogram")
        }
        self._gauges = {m.name: LastValues(fresh_seconds) for m in _of("gauge")}
        for m in _of("gauge"):
            meter.create_observable_gauge(m.name, [self._gauges[m.name].observations], m.unit, m.description)

    def record(self, metric: str, value: float, attributes: Mapping[str, str]) -> None:
        """A value of the metric of that name."""
        if metric in self._counters:
            self._counters[metric].add(value, attributes)
        elif metric in self._histograms:
            self._histograms[metric].record(value, attributes)
        else:
            self._gauges[metric].record(value, attributes)


class LastValues:
    """A gauge whose values expire.

    The SDK's own gauge reports its last value forever, such as a lag that another process has since removed.
    """

    def __init__(self, fresh_seconds: float) -> None:
        self._fresh_seconds = fresh_seconds
        self._lock = Lock()
        self._values: dict[frozenset[tuple[str, str]], tuple[float, float]] = {}

    def record(self, value: float, attributes: Mapping[str, str]) -> None:
        """Replaces the value with the same attributes."""
        with self._lock:
            self._values[frozenset(attributes.items())] = (time.monotonic(), value)

    def observations(self, _: CallbackOptions) -> Iterable[Observation]:
        """The values that have not expired; the SDK calls this once an interval for each destination."""
        oldest = time.monotonic() - self._fresh_seconds
        with self._lock:
            self._values = {key: held for key, held in self._values.items() if held[0] >= oldest}
            return [Observation(value, dict(key)) for key, (_, value) in self._values.items()]


def _of(kind: str) -> Iterator[Metric]:
    return (metric for metric in METRICS if metric.kind == kind)
