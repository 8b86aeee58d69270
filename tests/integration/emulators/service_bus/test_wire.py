"""What AMQP clients other than the SDKs meet."""

import uuid
from collections.abc import Iterator

import pytest
from azure.servicebus import ServiceBusClient
from support.amqp import Client, LinkDetachedError, Message, decoded, encoded
from support.broker import Broker, bodies, receive

from emulators.service_bus.amqp import encode, states, terminus
from emulators.service_bus.amqp.performatives import Open
from emulators.service_bus.amqp.states import Accepted, Modified, Outcome, Rejected, Released
from emulators.service_bus.amqp.terminus import Coordinator


@pytest.fixture
def raw(broker: Broker) -> Iterator[Client]:
    with Client(broker.port) as client:
        yield client


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [("ANONYMOUS", b"who"), ("PLAIN", b"\0user\0password"), ("MSSBCBS", None), ("EXTERNAL", b"")],
)
def test_every_mechanism_that_azure_offers_lets_a_client_in(
    broker: Broker, queue: str, mechanism: str, response: bytes | None
):
    with Client(broker.port, mechanism, response) as raw:
        assert raw.sender(queue).send(encoded(b"x")).state == Accepted()


def test_a_message_of_another_client_reaches_the_sdk(raw: Client, client: ServiceBusClient, queue: str):
    number = uuid.uuid4()
    message = encoded("text", message_id=number, ttl_ms=60_000, properties={"a": 1}, annotations={"x-own": 5})
    assert raw.sender(queue).send(message).state == Accepted()
    with client.get_queue_receiver(queue) as receiver:
        (got,) = receive(receiver, 1)
        assert (got.raw_amqp_message.body, got.message_id) == (b"text", number)
        assert got.application_properties == {b"a": 1}
        assert got.raw_amqp_message.annotations[b"x-own"] == 5
        assert got.time_to_live.total_seconds() == 60


def test_a_lock_that_lapsed_is_answered_with_rejected_and_its_condition(raw: Client, brief_queue: str):
    raw.sender(brief_queue).send(encoded(b"x"))
    receiver = raw.receiver(brief_queue, credit=2)
    assert receiver.receive().delivery_count == 0
    assert receiver.receive().delivery_count == 1, "its lock has lapsed"
    lapsed, held = receiver.deliveries
    assert receiver.settle(held) == Accepted()
    refused = receiver.settle(lapsed)
    assert isinstance(refused, Rejected)
    assert refused.reason is not None
    assert refused.reason.condition == "com.microsoft:message-lock-lost"


@pytest.mark.parametrize(
    ("outcome", "count"),
    [(Released(), 0), (Modified(), 1), (Modified(delivery_failed=True), 1)],
)
def test_an_outcome_is_echoed_and_the_message_comes_again(raw: Client, queue: str, outcome: Outcome, count: int):
    raw.sender(queue).send(encoded(b"x"))
    receiver = raw.receiver(queue)
    assert receiver.receive().delivery_count == 0
    assert receiver.settle(receiver.deliveries[0], outcome) == outcome
    receiver.link.grant(1)
    assert receiver.receive().delivery_count == count


def test_a_rejection_in_plain_amqp_dead_letters(raw: Client, queue: str):
    raw.sender(queue).send(encoded(b"x"))
    receiver = raw.receiver(queue)
    receiver.receive()
    assert receiver.settle(receiver.deliveries[0], Rejected()) == Rejected()
    assert raw.receiver(f"{queue}/$DeadLetterQueue").receive().body == b"x"


CHANGES = encode.mapping({encode.symbol("why"): encode.string("busy"), encode.symbol("old"): encode.long(2)})


@pytest.mark.parametrize("outcome", ["abandoned", "defered", "suspended"])
@pytest.mark.parametrize("by_request", [False, True])
def test_properties_to_modify_are_on_the_next_delivery(raw: Client, queue: str, outcome: str, *, by_request: bool):
    raw.sender(queue).send(encoded(b"x", properties={"old": 1, "other": 3}))
    receiver = raw.receiver(queue)
    number = receiver.receive().annotations["x-opt-sequence-number"]
    (delivery,) = receiver.deliveries
    if by_request:
        body = {"disposition-status": outcome, "lock-tokens": [uuid.UUID(bytes_le=delivery.tag)]}
        body |= {"properties-to-modify": {"why": "busy", "old": 2}}
        assert asked(raw, queue, "com.microsoft:update-disposition", body)["statusCode"] == 200
    else:
        error = states.Error("com.microsoft:dead-letter", None, CHANGES)
        modified = Modified(undeliverable_here=outcome == "defered", annotations=CHANGES)
        receiver.settle(delivery, Rejected(states._ERRORS.encode(error)) if outcome == "suspended" else modified)
    if outcome == "defered":
        reply = ask(raw, queue, "com.microsoft:receive-by-sequence-number", {"sequence-numbers": [number]}).body
        again = decoded(reply["messages"][0]["message"])
    else:
        again = raw.receiver(f"{queue}/$DeadLetterQueue" if outcome == "suspended" else queue).receive()
    assert again.application_properties == {"old": 2, "other": 3, "why": "busy"}


def test_draining_an_empty_queue_gives_the_credit_back(raw: Client, queue: str):
    receiver = raw.receiver(queue, credit=5)
    receiver.link.ask_to_drain()
    raw.wait(lambda: receiver.link.credit == 0)


def test_a_drain_is_answered_though_the_credit_is_used_up(raw: Client, queue: str):
    raw.sender(queue).send(encoded(b"x"))
    receiver = raw.receiver(queue, credit=1)
    receiver.receive()
    before = receiver.flows
    receiver.link.ask_to_drain()
    raw.wait(lambda: receiver.flows > before)


def test_a_client_of_small_frames_gets_a_large_message(broker: Broker, client: ServiceBusClient, queue: str):
    body = bytes(range(256)) * 400
    with Client(broker.port, hello=Open("small", max_frame_size=512)) as raw:
        assert raw.sender(queue).send(encoded(body)).state == Accepted()
        assert raw.receiver(queue).receive().body == body


def test_a_batch_with_a_header_in_its_envelope_is_opened(raw: Client, client: ServiceBusClient, queue: str):
    """As the JavaScript SDK sends it."""
    header = encode.section(0x70, encode.sequence([encode.TRUE]))
    items = [encode.section(0x75, encode.binary(encoded(text.encode(), message_id=text))) for text in ("a", "b")]
    batch = header + encoded(message_id="a")[:-5] + b"".join(items)
    assert raw.sender(queue).send(batch, message_format=0x80013700).state == Accepted()
    with client.get_queue_receiver(queue) as receiver:
        assert bodies(receive(receiver, 2)) == ["a", "b"]


@pytest.mark.parametrize("node", ["$cbs", "management"])
def test_a_reply_goes_to_the_address_that_the_request_names(raw: Client, queue: str, node: str):
    """As .NET and JavaScript ask: the target of the link that takes replies is a name of the client's own."""
    address = "$cbs" if node == "$cbs" else f"{queue}/$management"
    operation = "put-token" if node == "$cbs" else "com.microsoft:peek-message"
    body = "token" if node == "$cbs" else {"from-sequence-number": 1, "message-count": 5}
    request = encoded(body, message_id="1", reply_to="answers-here", properties={"operation": operation})
    raw.receiver(address, credit=5, reply_to="another")
    reply = raw.ask(address, request, reply_to="answers-here")
    assert reply.properties[5] == "1"
    assert {202, 204} & set(reply.application_properties.values())


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("renew-lock", {}),
        ("renew-lock", {"lock-tokens": ["x"]}),
        ("peek-message", None),
        ("schedule-message", {"messages": []}),
        ("schedule-message", {"messages": [{"message": b"junk"}]}),
        ("update-disposition", {"disposition-status": "x"}),
        ("cancel-scheduled-message", {"sequence-numbers": ["1"]}),
        ("receive-by-sequence-number", None),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_with_what_is_wrong(
    raw: Client, queue: str, operation: str, body: object
):
    reply = asked(raw, queue, f"com.microsoft:{operation}", body)
    assert (reply["statusCode"], reply["errorCondition"]) == (400, "com.microsoft:argument-error")
    assert reply["statusDescription"]


def test_an_operation_that_is_not_offered_is_answered_with_its_name(raw: Client, queue: str):
    reply = asked(raw, queue, "com.microsoft:add-rule", {})
    assert (reply["statusCode"], reply["errorCondition"]) == (501, "amqp:not-implemented")
    assert "com.microsoft:add-rule" in reply["statusDescription"]


def asked(raw: Client, queue: str, operation: str, body: object) -> dict:
    """The application properties of the management's reply."""
    return ask(raw, queue, operation, body).application_properties


def ask(raw: Client, queue: str, operation: str, body: object) -> Message:
    """The management's reply."""
    node = f"{queue}/$management"
    reply = raw.ask(node, encoded(body, message_id=7, reply_to=node, properties={"operation": operation}))
    assert reply.properties[5] == 7
    return reply


def test_a_transaction_is_refused(raw: Client, queue: str):
    with pytest.raises(LinkDetachedError, match="does not offer transactions"):
        raw.sender(queue, target=terminus.encoded(Coordinator()))


def test_bytes_that_are_no_message_are_refused_and_the_link_goes_on(raw: Client, queue: str):
    sender = raw.sender(queue)
    assert isinstance(sender.send(b"\x00\x53\x75\xa0\x50cut short").state, Rejected)
    sender.send(encoded(b"sound"))
    assert raw.receiver(queue).receive().body == b"sound"
