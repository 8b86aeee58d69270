"""What AMQP clients other than the SDK meet."""

import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest
from azure.servicebus import ServiceBusClient
from proton import Delivery, Disposition, Link, Message, Terminus, symbol
from proton.reactor import LinkOption
from proton.utils import BlockingConnection, LinkDetached, SendException
from support.broker import Broker, receive


class Coordinator(LinkOption):
    """Attaches to the transaction coordinator."""

    def apply(self, link: Link) -> None:
        link.target.type = Terminus.COORDINATOR


class Junk(Message):
    """A message whose one section ends too early."""

    def encode(self) -> bytes:
        return b"\x00\x53\x75\xa0\x50cut short"


@pytest.fixture
def raw(broker: Broker) -> Iterator[BlockingConnection]:
    with closing(BlockingConnection(f"amqp://127.0.0.1:{broker.port}", allowed_mechs="ANONYMOUS", timeout=20)) as found:
        yield found


def test_a_message_of_another_client_reaches_the_sdk(raw: BlockingConnection, client: ServiceBusClient, queue: str):
    message = Message(body="text", id=uuid.uuid4(), ttl=60, properties={"a": 1}, annotations={symbol("x-own"): 5})
    assert raw.create_sender(queue).send(message).remote_state == Delivery.ACCEPTED
    with client.get_queue_receiver(queue) as receiver:
        (got,) = receive(receiver, 1)
        assert (got.raw_amqp_message.body, got.message_id) == (b"text", message.id)
        assert got.raw_amqp_message.annotations[b"x-own"] == 5
        assert got.time_to_live.total_seconds() == 60


def test_a_lock_that_lapsed_is_answered_with_rejected_and_its_condition(raw: BlockingConnection, brief_queue: str):
    raw.create_sender(brief_queue).send(Message(body=b"x"))
    receiver = raw.create_receiver(brief_queue, credit=2)
    assert receiver.receive().delivery_count == 0
    assert receiver.receive().delivery_count == 1, "its lock has lapsed"
    lapsed, held = receiver.fetcher.unsettled
    lapsed.update(Delivery.ACCEPTED)
    held.update(Delivery.ACCEPTED)
    raw.wait(lambda: lapsed.settled and held.settled)
    assert held.remote_state == Delivery.ACCEPTED
    assert lapsed.remote_state == Delivery.REJECTED
    assert lapsed.remote.condition.name == "com.microsoft:message-lock-lost"


@pytest.mark.parametrize(
    ("outcome", "failed"), [(Disposition.RELEASED, False), (Disposition.MODIFIED, False), (Disposition.MODIFIED, True)]
)
def test_an_outcome_is_echoed_and_the_message_comes_again(
    raw: BlockingConnection, queue: str, outcome: int, failed: bool
):
    raw.create_sender(queue).send(Message(body=b"x"))
    receiver = raw.create_receiver(queue, credit=1)
    assert receiver.receive().delivery_count == 0
    (delivery,) = receiver.fetcher.unsettled
    delivery.local.failed = failed
    delivery.update(outcome)
    raw.wait(lambda: delivery.settled)
    assert delivery.remote_state == outcome
    delivery.settle()
    assert receiver.receive().delivery_count == int(failed)


def test_a_rejection_in_plain_amqp_dead_letters(raw: BlockingConnection, queue: str):
    raw.create_sender(queue).send(Message(body=b"x"))
    receiver = raw.create_receiver(queue, credit=1)
    receiver.receive()
    receiver.reject()
    dead = raw.create_receiver(f"{queue}/$DeadLetterQueue", credit=1).receive()
    assert bytes(dead.body) == b"x"


def test_draining_an_empty_queue_gives_the_credit_back(raw: BlockingConnection, queue: str):
    receiver = raw.create_receiver(queue, credit=5)
    receiver.link.drain(0)
    raw.wait(lambda: not receiver.link.draining())
    assert receiver.link.credit == 0


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
    raw: BlockingConnection, queue: str, operation: str, body: object
):
    reply = asked(raw, queue, f"com.microsoft:{operation}", body)
    assert (reply["statusCode"], reply["errorCondition"]) == (400, "com.microsoft:argument-error")
    assert reply["statusDescription"]


def test_an_operation_that_is_not_offered_is_answered_with_its_name(raw: BlockingConnection, queue: str):
    reply = asked(raw, queue, "com.microsoft:add-rule", {})
    assert (reply["statusCode"], reply["errorCondition"]) == (501, "amqp:not-implemented")
    assert "com.microsoft:add-rule" in reply["statusDescription"]


def asked(raw: BlockingConnection, queue: str, operation: str, body: object) -> dict:
    """The application properties of the management's reply."""
    node = f"{queue}/$management"
    replies, requests = raw.create_receiver(node, credit=5), raw.create_sender(node)
    requests.send(Message(body=body, inferred=False, id=7, reply_to=node, properties={"operation": operation}))
    reply = replies.receive()
    assert reply.correlation_id == 7
    return reply.properties


def test_a_transaction_is_refused(raw: BlockingConnection, queue: str):
    with pytest.raises(LinkDetached, match="does not offer transactions"):
        raw.create_sender(queue, options=Coordinator())


def test_bytes_that_are_no_message_are_refused_and_the_link_goes_on(raw: BlockingConnection, queue: str):
    sender = raw.create_sender(queue)
    with pytest.raises(SendException):
        sender.send(Junk())
    sender.send(Message(body=b"sound"))
    assert bytes(raw.create_receiver(queue, credit=1).receive().body) == b"sound"
