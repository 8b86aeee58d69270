"""Messages that are encoded here are those that the SDK encodes, and batches are as full as its own."""

from collections.abc import Iterator
from typing import Any

from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch
from azure.servicebus.exceptions import MessageSizeExceededError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.message import CONTENT_TYPE
from producer.encoded import Outgoing, batches, section_of

LIMIT = 4096
PROPERTIES = st.dictionaries(
    st.sampled_from(["job", "attempt", "heals", "why", "traceparent"]),
    st.one_of(st.text(max_size=300), st.integers(-(2**31), 2**31 - 1)),
)


class Sender:
    """Makes batches as a sender does whose queue takes little."""

    def create_message_batch(self) -> ServiceBusMessageBatch:
        return ServiceBusMessageBatch(LIMIT)


def outgoing(message_id: str, body: bytes, properties: Any) -> Outgoing:
    return Outgoing(message_id, body, properties, section_of(properties))


def of_sdk(one: Outgoing) -> ServiceBusMessage:
    carried = one.properties
    return ServiceBusMessage(
        one.body, message_id=one.message_id, content_type=CONTENT_TYPE, application_properties=carried
    )


def held(batch: ServiceBusMessageBatch) -> tuple[list[bytes], int, int]:
    """What the batch would send, its size, and the number of its messages."""
    return [bytes(one) for one in batch._message[5]], batch.size_in_bytes, len(batch)


def batches_of_sdk(messages: list[Outgoing]) -> Iterator[ServiceBusMessageBatch]:
    batch = ServiceBusMessageBatch(LIMIT)
    for message in map(of_sdk, messages):
        try:
            batch.add_message(message)
        except MessageSizeExceededError:
            yield batch
            batch = ServiceBusMessageBatch(LIMIT)
            batch.add_message(message)
    yield batch


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@example("i" * 128, b"b" * 255, {"why": "x" * 241})
@example("i", b"b" * 256, {"why": "x" * 242})
@example("i", b"", {"why": "x" * 243, "attempt": 127, "heals": 128})
@given(st.from_regex(r"[0-9a-f#.-]{1,128}", fullmatch=True), st.binary(max_size=700), PROPERTIES)
def test_a_message_is_encoded_as_the_sdk_encodes_it(message_id: str, body: bytes, properties: dict[str, Any]) -> None:
    one = outgoing(message_id, body, {"job": "clicks", **properties})
    batch = ServiceBusMessageBatch(1 << 20)
    batch.add_message(of_sdk(one))
    assert held(batch)[0] == [one.encode()]


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(st.integers(0, 1500), min_size=1, max_size=30))
def test_batches_are_those_of_the_sdk(sizes: list[int]) -> None:
    messages = [outgoing(f"id#{number}", b"b" * size, {"job": "clicks"}) for number, size in enumerate(sizes)]
    sender: Any = Sender()
    assert [held(batch) for batch in batches(sender, messages)] == [held(batch) for batch in batches_of_sdk(messages)]


def test_a_message_that_no_batch_takes_is_refused() -> None:
    sender: Any = Sender()
    messages = [outgoing("1", b"b", {"job": "a"}), outgoing("2", b"b" * LIMIT, {"job": "a"})]
    sent = batches(sender, messages)
    assert len(next(sent)) == 1
    try:
        next(sent)
    except MessageSizeExceededError:
        return
    raise AssertionError("a message larger than the queue takes was batched")
