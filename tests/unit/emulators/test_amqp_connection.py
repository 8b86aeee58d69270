"""Two ends of a connection in one process, every byte between them at the test's disposal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulators.service_bus.amqp import encode, session, terminus
from emulators.service_bus.amqp.connection import Connection
from emulators.service_bus.amqp.deliveries import Delivery
from emulators.service_bus.amqp.errors import ProtocolError
from emulators.service_bus.amqp.events import Arrived, Attached, Closed, Detached, Event, Flowed, Updated
from emulators.service_bus.amqp.frames import AMQP_HEADER, SASL_HEADER, Frame, FrameBuffer, frame
from emulators.service_bus.amqp.handshake import ClientHandshake, ServerHandshake
from emulators.service_bus.amqp.link import Link
from emulators.service_bus.amqp.performatives import PERFORMATIVES, SASL, Begin, Disposition, End, Open, SaslInit
from emulators.service_bus.amqp.states import Accepted, Released
from emulators.service_bus.amqp.terminus import Source, Target

OPEN = frame(PERFORMATIVES.encode(Open("client")))
SOURCE, TARGET = terminus.encoded(Source(encode.string("a"))), terminus.encoded(Target(encode.string("b")))


class Pair:
    """A client and a server that answers every attach; `exchange` carries bytes until both are silent."""

    def __init__(self, max_frame: int = 4096) -> None:
        self.client = Connection(Open("client", max_frame_size=max_frame), ClientHandshake("ANONYMOUS"))
        self.server = Connection(Open("server", max_frame_size=max_frame), ServerHandshake(["ANONYMOUS"]))
        self.client.open()
        self.session = self.client.begin()
        self.events: list[Event] = []
        self.served: list[Link] = []

    def exchange(self) -> list[Event]:
        """What happened at both ends."""
        self.events = []
        while self.client.output or self.server.output:
            for source, sink in ((self.client, self.server), (self.server, self.client)):
                data = bytes(source.output)
                source.output.clear()
                for event in sink.receive(data):
                    self._on(event, at_server=sink is self.server)
        return self.events

    def link(self, *, sends: bool) -> tuple[Link, Link]:
        """A link: the client's end and the server's."""
        link = self.session.link("x", sends=sends)
        link.attach(SOURCE, TARGET)
        self.exchange()
        return link, self.served[-1]

    def arrived(self) -> list[Delivery]:
        return [event.delivery for event in self.exchange() if isinstance(event, Arrived)]

    def _on(self, event: Event, *, at_server: bool) -> None:
        self.events.append(event)
        if at_server and isinstance(event, Attached):
            self.served.append(event.link)
            event.link.attach(event.link.remote.source, event.link.remote.target)


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.binary(max_size=3000), max_size=6), st.sampled_from([512, 700, 65536]))
def test_messages_of_any_size_come_over_in_order(payloads: list[bytes], max_frame: int):
    pair = Pair(max_frame)
    sender, receiver = pair.link(sends=True)
    receiver.grant(len(payloads) or 1)
    pair.exchange()
    sent = [sender.send(bytes([number]), payload, settled=False) for number, payload in enumerate(payloads)]
    got = pair.arrived()
    assert [(delivery.tag, delivery.data) for delivery in got] == [(bytes([n]), p) for n, p in enumerate(payloads)]
    for delivery in got:
        receiver.settle(delivery, Accepted())
    pair.exchange()
    assert all(delivery.settled and delivery.state == Accepted() for delivery in sent)


def test_no_more_messages_go_than_there_is_credit_for_and_a_drain_gives_the_rest_back():
    pair = Pair()
    receiver, sender = pair.link(sends=False)
    receiver.grant(2)
    pair.exchange()
    for number in range(3):
        sender.send(bytes([number]), b"x", settled=True)
    assert len(pair.arrived()) == 2
    assert not sender.hungry
    receiver.grant(5)
    assert len(pair.arrived()) == 1
    assert (sender.credit, receiver.credit) == (4, 4)
    receiver.ask_to_drain()
    assert any(isinstance(event, Flowed) for event in pair.exchange())
    assert sender.drain
    sender.drained()
    pair.exchange()
    assert (sender.credit, receiver.credit, sender.drain) == (0, 0, False)


def test_a_closed_session_window_holds_messages_back_until_it_opens(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(session, "WINDOW", 4)
    pair = Pair()
    sender, receiver = pair.link(sends=True)
    receiver.grant(100)
    pair.exchange()
    for number in range(50):
        sender.send(bytes([number]), b"x", settled=True)
    assert pair.session.room == 0, "the window is used up before the server has read a byte"
    assert len(pair.arrived()) == 50


def test_a_message_over_the_limit_is_counted_and_not_held():
    pair = Pair(512)
    sender, receiver = pair.link(sends=True)
    receiver.limit = 1000
    receiver.grant(1)
    pair.exchange()
    sender.send(b"t", b"x" * 5000, settled=False)
    (delivery,) = pair.arrived()
    assert (delivery.size, delivery.data) == (5000, b"")


def test_a_range_settles_every_delivery_in_it_and_one_that_is_unknown_harms_nobody():
    pair = Pair()
    receiver, sender = pair.link(sends=False)
    receiver.grant(3)
    pair.exchange()
    sent = [sender.send(bytes([number]), b"x", settled=False) for number in range(3)]
    pair.exchange()
    pair.client.write(0, Disposition(True, 0, 0xFFFFFFFE, settled=True, state=b"\x00\x53\x26\x45"))
    assert [event.delivery for event in pair.exchange() if isinstance(event, Updated)] == sent
    assert {delivery.state for delivery in sent} == {Released()}
    pair.client.write(0, Disposition(True, 7, None, settled=True))
    assert pair.exchange() == []


def test_a_refused_link_is_answered_and_detached_with_the_reason():
    pair = Pair()
    link = pair.session.link("x", sends=True)
    link.attach(SOURCE, TARGET)
    pair._on = lambda event, at_server: (  # type: ignore[method-assign]
        pair.events.append(event),
        event.link.refuse("amqp:not-found", "no such node") if at_server and isinstance(event, Attached) else None,
    )
    detached = [event for event in pair.exchange() if isinstance(event, Detached) and event.error]
    assert [(event.error.condition, event.error.description) for event in detached] == [
        ("amqp:not-found", "no such node")
    ]


def test_the_end_of_a_session_detaches_its_links_and_the_channel_can_be_used_again():
    pair = Pair()
    pair.link(sends=True)
    pair.session.end()
    assert [type(event) for event in pair.exchange()] == [Detached, Detached]
    pair.session = pair.client.begin()
    assert pair.session.channel == 0
    pair.link(sends=True)


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        (AMQP_HEADER, ""),
        (b"GET / HTTP/1.1\r\n\r\n", "amqp:connection:framing-error"),
        (SASL_HEADER + frame(SASL.encode(SaslInit("KERBEROS")), kind=1), "amqp:not-allowed"),
        (SASL_HEADER + frame(b""), "amqp:connection:framing-error"),
        (AMQP_HEADER + frame(PERFORMATIVES.encode(Begin(None, 0, 1, 1))), "amqp:not-allowed"),
        (AMQP_HEADER + frame(PERFORMATIVES.encode(Open("a", max_frame_size=511))), "amqp:invalid-field"),
        (AMQP_HEADER + frame(b"junk"), "amqp:decode-error"),
        (AMQP_HEADER + b"\xff\xff\xff\xff\x02\x00\x00\x00", "amqp:connection:framing-error"),
        (AMQP_HEADER + b"\x00\x00\x00\x08\x01\x00\x00\x00", "amqp:connection:framing-error"),
        (AMQP_HEADER + OPEN + frame(PERFORMATIVES.encode(End()), 3), "amqp:not-allowed"),
    ],
)  # fmt: skip
def test_an_end_that_breaks_the_protocol_is_closed_with_the_condition(said: bytes, condition: str):
    server = Connection(Open("server", max_frame_size=4096), ServerHandshake(["ANONYMOUS"]))
    closed = [event for event in server.receive(said) if isinstance(event, Closed)]
    assert [event.error.condition for event in closed] == ([condition] if condition else [])
    assert server.output


def conversation() -> bytes:
    """All that a client says that attaches, sends, receives, settles and leaves."""
    pair = Pair()
    said = bytearray()
    sender, taker = pair.link(sends=True)
    receive = pair.server.receive
    pair.server.receive = lambda data: (said.extend(data), receive(data))[1]  # type: ignore[method-assign]
    taker.grant(10)
    pair.exchange()
    sender.send(b"t", b"payload" * 10, settled=False)
    receiver, giver = pair.link(sends=False)
    receiver.grant(1)
    pair.exchange()
    giver.send(b"u", b"x", settled=False)
    receiver.update(pair.arrived()[0], Accepted())
    receiver.ask_to_drain()
    sender.detach("amqp:internal-error", "goodbye")
    pair.exchange()
    pair.client.close()
    pair.exchange()
    return bytes(said)


SAID = conversation()
START = bytes(Connection(Open("client"), ClientHandshake("ANONYMOUS")).output) + frame(PERFORMATIVES.encode(Open("c")))
START += frame(PERFORMATIVES.encode(Begin(None, 0, 10, 10)))


@settings(max_examples=300, deadline=None, database=None)
@given(st.integers(0, len(START + SAID)), st.binary(max_size=6), st.integers(0, 4), st.integers(1, 50))
def test_truncated_and_garbled_frames_end_in_a_protocol_error_or_nothing(at: int, patch: bytes, drop: int, chunk: int):
    whole = START + SAID
    data = whole[:at] + patch + whole[at + drop :]
    server = Connection(Open("server", max_frame_size=4096), ServerHandshake(["ANONYMOUS"]))
    for start in range(0, len(data), chunk):
        for event in server.receive(data[start : start + chunk]):
            if isinstance(event, Attached):
                event.link.attach(SOURCE, TARGET)
                event.link.grant(1)
            if isinstance(event, Arrived):
                event.link.settle(event.delivery, Accepted())
    assert server.opened or at < len(START) or drop


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 0xFFFF)), max_size=8), st.integers(1, 40))
def test_frames_are_the_same_however_their_bytes_arrive(frames: list[tuple[bytes, int]], chunk: int):
    data = b"".join(frame(body, channel) for body, channel in frames)
    buffer, got = FrameBuffer(512), []
    for start in range(0, len(data), chunk):
        buffer.feed(data[start : start + chunk])
        while (found := buffer.next()) is not None:
            got.append(found)
    assert got == [Frame(0, channel, body) for body, channel in frames]


def test_a_frame_over_the_limit_is_refused_before_it_is_read():
    buffer = FrameBuffer(512)
    buffer.feed(frame(b"x" * 505)[:8])
    with pytest.raises(ProtocolError, match="513 bytes, the limit is 512"):
        buffer.next()
