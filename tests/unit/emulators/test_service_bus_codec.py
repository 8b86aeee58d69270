"""Messages cut and put together again, and bytes that are none."""

import datetime as dt
from uuid import UUID

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch
from azure.servicebus._pyamqp._decode import decode_payload
from azure.servicebus._pyamqp._encode import encode_payload
from azure.servicebus._pyamqp.message import BatchMessage
from azure.servicebus._transport._pyamqp_transport import PyamqpTransport
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulators.service_bus import codec, requests
from emulators.service_bus.amqp import decode, encode
from emulators.service_bus.amqp.decode import Malformed
from emulators.service_bus.stored import DeadLetter, State


def encoded(message: ServiceBusMessage) -> bytes:
    outgoing = PyamqpTransport.to_outgoing_amqp_message(message.raw_amqp_message)
    return bytes(encode_payload(bytearray(), outgoing))


def full() -> bytes:
    return encoded(
        ServiceBusMessage(
            b"body",
            message_id="id",
            content_type="text/plain",
            application_properties={"a": 1, "DeadLetterReason": "old"},
            time_to_live=dt.timedelta(seconds=5),
            partition_key="key",
            scheduled_enqueue_time_utc=dt.datetime(2030, 1, 1, tzinfo=dt.UTC),
        )
    )


def test_the_facts_that_the_queue_needs_are_read():
    message = codec.message(full())
    assert (message.message_id, message.ttl_ms) == ("id", 5000)
    assert message.scheduled_ms == 1_893_456_000_000


def test_what_the_sender_said_comes_through_and_the_broker_adds_its_own():
    message = codec.message(full())
    message.sequence_number, message.enqueued_ms, message.delivery_count = 7, 1000, 3
    message.lock, message.locked_until_ms = b"t" * 16, 2000
    got = decode_payload(memoryview(codec.transfer(message)))
    assert got.data == [b"body"]
    assert (got.properties.message_id, got.properties.content_type) == (b"id", b"text/plain")
    assert got.application_properties == {b"a": 1, b"DeadLetterReason": b"old"}
    assert (got.header.ttl, got.header.delivery_count) == (5000, 3)
    annotations = got.message_annotations
    assert (annotations[b"x-opt-partition-key"], annotations[b"x-opt-sequence-number"]) == (b"key", 7)
    assert (annotations[b"x-opt-enqueued-time"], annotations[b"x-opt-locked-until"]) == (1000, 2000)
    assert (annotations[b"x-opt-message-state"], len(annotations)) == (State.ACTIVE, 7)


def test_dead_lettering_replaces_the_reason_and_keeps_the_other_properties():
    message = codec.message(full())
    message.dead_letter = DeadLetter("r" * 300, None)
    got = decode_payload(memoryview(codec.transfer(message, received=False)))
    assert got.application_properties == {b"a": 1, b"DeadLetterReason": b"r" * 300}
    assert got.data == [b"body"]


@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_is_opened(count: int):
    batch = ServiceBusMessageBatch(100_000)
    for n in range(count):
        batch.add_message(ServiceBusMessage(f"{n}", message_id=f"id-{n}", partition_key="key"))
    data = bytes(encode_payload(bytearray(), BatchMessage(*batch._message)))
    assert [message.message_id for message in codec.messages(data, codec.BATCH_FORMAT)] == [
        f"id-{n}" for n in range(count)
    ]


@pytest.mark.parametrize("body", [b"", b"plain", b"\x00\x53", b"\x00\x53\x75", b"\x00\x53\x75\xa0\x01x and more"])
def test_a_single_message_is_not_taken_for_a_batch(body: bytes):
    (message,) = codec.messages(encoded(ServiceBusMessage(body)))
    assert decode_payload(memoryview(codec.transfer(message))).data == [body]


@pytest.mark.parametrize(
    "data",
    [b"\x01", b"\x00\x53\x10\x45", b"\x00\x53\x70\x40", b"\x00\x53\x74\x45", b"\x00\x53\x75\xa0\x05x", b"\x00" * 5000],
)
def test_bytes_that_are_no_message_are_refused(data: bytes):
    with pytest.raises(Malformed, match=r"not an AMQP|neither a list nor a map"):
        codec.messages(data)


@pytest.mark.parametrize("data", [b"", b"\x00\x53\x77\x40", b"\x00\x53\x75\x40", b"\x00\x53\x75\xa0\x01x"])
def test_bytes_that_are_no_batch_are_refused(data: bytes):
    with pytest.raises(Malformed, match="not an AMQP message"):
        codec.messages(data, codec.BATCH_FORMAT)


def test_properties_that_receivers_set_replace_and_join_those_of_the_sender():
    message = codec.message(full())
    message.changes = {"a": encode.long(2), "new": encode.string("x")}
    got = decode_payload(memoryview(codec.transfer(message)))
    assert got.application_properties == {b"DeadLetterReason": b"old", b"a": 2, b"new": b"x"}


def read_batch(data: bytes) -> None:
    codec.messages(data, codec.BATCH_FORMAT)


@settings(max_examples=300, deadline=None, database=None)
@given(st.binary(max_size=200), st.integers(0, 400), st.binary(min_size=1, max_size=4))
@example(junk=b"", at=1, patch=b"s")
def test_no_bytes_bring_the_codec_down(junk: bytes, at: int, patch: bytes):
    sound = full()
    at %= len(sound)
    for data in (junk, b"\x00\x53" + junk, sound[:at], sound[:at] + patch + sound[at + len(patch) :]):
        for read in (decode.value, codec.messages, read_batch, requests.parse):
            try:
                read(data)
            except Malformed:
                continue


def test_a_message_without_an_id_gets_one():
    bare = encode.section(codec.DATA, encode.binary(b"x"))
    subject = encode.section(
        codec.PROPERTIES, encode.sequence([encode.NULL, encode.NULL, encode.NULL, encode.string("s")])
    )
    one, other = codec.message(bare), codec.message(subject + bare)
    assert one.message_id != other.message_id
    got = decode_payload(memoryview(codec.transfer(other)))
    assert (got.properties.message_id, got.properties.subject) == (other.message_id.encode(), b"s")


def test_a_message_in_a_reply_carries_its_lock_token():
    message = codec.message(full())
    message.lock = bytes(range(16))
    got = decode_payload(memoryview(codec.transfer(message, token=True)))
    assert got.delivery_annotations == {b"x-opt-lock-token": UUID(bytes_le=message.lock)}
