from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import use_span

from contracts.message import Carrier, trace_of
from telemetry.engines.otel import parent_of
from telemetry.types import Origin

SENT = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
CALL_OF_THE_SAME_TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00"}
CALL_OF_ANOTHER = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}
NO_CONTEXT: Carrier = {}


@pytest.fixture
def tracers() -> Iterator[TracerProvider]:
    provider = TracerProvider(ALWAYS_ON, shutdown_on_exit=False)
    yield provider
    provider.shutdown()


@pytest.mark.parametrize(
    ("message", "call", "parent", "linked"),
    [
        (SENT, NO_CONTEXT, SENT, False),
        (SENT, CALL_OF_ANOTHER, SENT, True),
        (SENT, CALL_OF_THE_SAME_TRACE, CALL_OF_THE_SAME_TRACE, False),
        (NO_CONTEXT, CALL_OF_ANOTHER, CALL_OF_ANOTHER, False),
        (NO_CONTEXT, NO_CONTEXT, NO_CONTEXT, False),
        ({"traceparent": "nonsense"}, NO_CONTEXT, NO_CONTEXT, False),
    ],
)
def test_a_delivery_is_in_the_trace_of_its_message_and_below_the_hosts_call_where_that_is_too(
    message: Carrier, call: Carrier, parent: Carrier, linked: bool, tracers: TracerProvider
) -> None:
    context, links = parent_of(Origin(message, call))
    span = tracers.get_tracer("test").start_span("process", context, links=links)
    below = span.parent  # type: ignore[attr-defined]
    assert (f"{below.trace_id:032x}-{below.span_id:016x}" if below else "") == parent.get("traceparent", "")[3:-3]
    assert [f"{link.context.trace_id:032x}" for link in links] == ([call["traceparent"][3:35]] if linked else [])
    span.end()


def test_a_step_is_below_the_one_under_way_whatever_it_comes_from(tracers: TracerProvider) -> None:
    with use_span(tracers.get_tracer("test").start_span("process"), end_on_exit=True):
        assert parent_of(Origin(SENT, CALL_OF_ANOTHER)) == (None, ())


@pytest.mark.parametrize(
    "properties",
    [
        {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"},
        {"traceparent": SENT["traceparent"].upper()},
        {"traceparent": b"\xff" * 55},
        {"traceparent": 7, b"\xff": None, 3: "x"},
        {},
    ],
)
def test_what_is_no_trace_context_is_left_out(properties: dict[object, object]) -> None:
    """Any sender may put anything among a message's properties, and a clone repeats what is taken."""
    assert trace_of(properties) == {}


@pytest.mark.parametrize("state", ["", "x" * 513, "a=b\n", "ä=b", 7])
def test_a_trace_state_that_is_none_is_left_out(state: object) -> None:
    assert trace_of({**SENT, "tracestate": state}) == SENT
    assert trace_of({**SENT, "tracestate": b"a=b"}) == {**SENT, "tracestate": "a=b"}
