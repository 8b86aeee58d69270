"""Records values of the metrics of the catalogue."""

from telemetry.backend import backend
from telemetry.catalogue import Metric


def record(metric: Metric, value: float, **attributes: str | None) -> None:
    """Records a value; nothing if telemetry is off. Attributes are few and short: a job, an outcome, a reason."""
    backend().record(metric.name, value, {key: text for key, text in attributes.items() if text is not None})
