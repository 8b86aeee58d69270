"""The values and interfaces of spans and metrics, which everything else in telemetry uses."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal, Protocol

from contracts.message import Carrier

type Attribute = str | int | float | bool
type Kind = Literal["internal", "producer", "consumer"]
type Destination = Literal["azure-monitor", "otlp", "console"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a process's first span comes from: the message that it handles, and the host's call in which it runs."""

    message: Carrier = field(default_factory=dict)
    call: Carrier = field(default_factory=dict)


NOWHERE = Origin()


class Span(Protocol):
    """One step of a request's path."""

    @property
    def trace_id(self) -> str | None:
        """32 hex digits; None if telemetry is off."""

    def set(self, **attributes: Attribute | None) -> None:
        """Sets those that are not None."""

    def fail(self, reason: str) -> None:
        """Marks the step as failed."""

    def carrier(self) -> Carrier:
        """The W3C context of this span."""


class Backend(Protocol):
    """Takes spans and metrics; safe for threads."""

    def span(
        self, name: str, kind: Kind, origin: Origin, attributes: Mapping[str, Attribute | None]
    ) -> AbstractContextManager[Span]:
        """A span for the block."""

    def current(self) -> Span:
        """The innermost open span."""

    def record(self, metric: str, value: float, attributes: Mapping[str, str]) -> None:
        """Records a value of the metric of that name."""


class NoSpan:
    """A span that is not recorded."""

    trace_id = None

    def set(self, **attributes: Attribute | None) -> None:
        """Nothing."""

    def fail(self, reason: str) -> None:
        """Nothing."""

    def carrier(self) -> Carrier:
        """Nothing."""
        return {}


_NO_SPAN = NoSpan()


class Off:
    """Records nothing."""

    def span(
        self,
        name: str,  # noqa: ARG002
        kind: Kind,  # noqa: ARG002
        origin: Origin,  # noqa: ARG002
        attributes: Mapping[str, Attribute | None],  # noqa: ARG002
    ) -> AbstractContextManager[Span]:
        """Nothing, for the block."""
        return nullcontext(_NO_SPAN)

    def current(self) -> Span:
        """Nothing."""
        return _NO_SPAN

    def record(self, metric: str, value: float, attributes: Mapping[str, str]) -> None:
        """Nothing."""
