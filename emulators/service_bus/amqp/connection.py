"""One end of a connection, without I/O: `receive` takes bytes and yields events, `output` holds the bytes to send."""

from collections.abc import Iterator
from typing import Protocol

from emulators.service_bus.amqp import encode, states
from emulators.service_bus.amqp.decode import Malformed
from emulators.service_bus.amqp.errors import DECODE, FRAMING, INVALID, NOT_ALLOWED, ProtocolError
from emulators.service_bus.amqp.events import Closed, Detached, Event, Opened
from emulators.service_bus.amqp.frames import AMQP_KIND, SMALLEST_MAX_FRAME, Frame, FrameBuffer, frame
from emulators.service_bus.amqp.performatives import (
    PERFORMATIVES,
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    Performative,
    Transfer,
)  # fmt: skip
from emulators.service_bus.amqp.session import Session

HEARTBEAT = frame(b"")


class Handshake(Protocol):
    """What goes before the first frame of AMQP."""

    done: bool

    def start(self) -> bytes:
        """Return what to send first."""

    def step(self, buffer: FrameBuffer) -> bytes | None:
        """Return what to send next, or None if more bytes must come first. Raises ProtocolError."""

    def farewell(self) -> bytes:
        """Return what to send to a peer whose handshake is wrong."""


class Connection:
    """A connection seen from this end. Opens, begins, ends, detaches and closes of the other end are answered at once.

    `hello`: what this end says of itself; its max_frame_size binds the other end, its idle_time_out is the caller's to
    watch over. `output` is filled by this class and emptied by its owner.
    """

    def __init__(self, hello: Open, handshake: Handshake) -> None:
        self.output = bytearray(handshake.start())
        self.opened = False  # the other end has sent its open
        self.closed = False  # both ends are silent from now on
        self.remote_idle_ms: int | None = (
            None  # the other end closes the connection if it receives nothing for this long
        )
        self.frame_size = SMALLEST_MAX_FRAME
        self._hello = hello
        self._handshake = handshake
        self._buffer = FrameBuffer(hello.max_frame_size)
        self._greeted = self._said_goodbye = False
        self._sessions: dict[int, Session] = {}  # by this end's channels
        self._by_remote: dict[int, Session] = {}

    @property
    def backlog(self) -> int:
        """The number of bytes that wait for the socket."""
        return len(self.output)

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take bytes of the other end and yield their events. An error of the other end yields Closed."""
        self._buffer.feed(data)
        try:
            while not self.closed and not self._handshake.done:
                answer = self._handshake.step(self._buffer)
                if answer is None:
                    return
                self.output += answer
            while not self.closed and (found := self._buffer.next()) is not None:
                yield from self._on_frame(found)
        except ProtocolError as error:
            yield from self._break_off(error.condition, str(error))
        except Malformed as error:
            yield from self._break_off(DECODE, str(error))

    def open(self) -> None:
        """Send the open of this end. Does nothing if it was sent before."""
        if not self._greeted:
            self._greeted = True
            self.write(0, self._hello)

    def begin(self) -> Session:
        """Begin a session."""
        session = self._session()
        session.begin()
        return session

    def close(self, condition: str = "", description: str = "") -> None:
        """Send the close of this end, with an error if a condition is given. Does nothing if it was sent before."""
        if self._said_goodbye:
            return
        self._said_goodbye = True
        if self._handshake.done:
            self.open()
            self.write(0, Close(states.encoded_error(condition, description) if condition else encode.NULL))
        else:
            self.output += self._handshake.farewell()

    def heartbeat(self) -> None:
        """Send an empty frame, unless the connection is not open yet or closed already."""
        if self._greeted and not self._said_goodbye:
            self.output += HEARTBEAT

    def write(self, channel: int, performative: Performative, payload: bytes = b"") -> None:
        """Send a frame, unless this end has sent its close."""
        if not self._said_goodbye or isinstance(performative, Close):
            self.output += frame(PERFORMATIVES.encode(performative) + payload, channel)

    def drop(self) -> Iterator[Event]:
        """End every session and link, because the socket is closed."""
        for session in list(self._sessions.values()):
            for link in session.close():
                yield Detached(link, None)
        self._sessions.clear()
        self._by_remote.clear()

    def _session(self) -> Session:
        channel = next(number for number in range(len(self._sessions) + 1) if number not in self._sessions)
        self._sessions[channel] = Session(self, channel)
        return self._sessions[channel]

    def _break_off(self, condition: str, description: str) -> Iterator[Event]:
        self.close(condition, description)
        self.closed = True
        yield from self.drop()
        yield Closed(states.Error(condition, description))

    def _on_frame(self, found: Frame) -> Iterator[Event]:
        if found.kind != AMQP_KIND:
            raise ProtocolError(FRAMING, f"a frame of type {found.kind} came where one of AMQP was to come")
        if not found.body:
            return
        performative, at = PERFORMATIVES.decode(found.body)
        if not self.opened and not isinstance(performative, Open):
            raise ProtocolError(NOT_ALLOWED, f"{type(performative).__name__} came before Open")
        match performative:
            case Open():
                yield from self._on_open(performative)
            case Begin():
                self._on_begin(performative, found.channel)
            case Close():
                yield from self._on_close(performative)
            case _:
                yield from self._in_session(performative, found.channel, found.body[at:])

    def _on_open(self, remote: Open) -> Iterator[Event]:
        if self.opened:
            raise ProtocolError(NOT_ALLOWED, "a second Open came")
        if remote.max_frame_size < SMALLEST_MAX_FRAME:
            raise ProtocolError(INVALID, f"max-frame-size is less than {SMALLEST_MAX_FRAME}")
        self.opened = True
        self.remote_idle_ms = remote.idle_time_out or None
        self.frame_size = min(remote.max_frame_size, self._hello.max_frame_size)
        self.open()
        yield Opened(remote)

    def _on_begin(self, begin: Begin, remote_channel: int) -> None:
        if remote_channel in self._by_remote:
            raise ProtocolError(NOT_ALLOWED, f"channel {remote_channel} has a session already")
        if begin.remote_channel is None:
            session = self._session()
            session.on_begin(begin, remote_channel)
            session.begin()
        elif (waiting := self._sessions.get(begin.remote_channel)) is not None and waiting.remote_channel is None:
            session = waiting
            session.on_begin(begin, remote_channel)
        else:
            raise ProtocolError(NOT_ALLOWED, f"a Begin answers channel {begin.remote_channel}, which began nothing")
        self._by_remote[remote_channel] = session

    def _on_close(self, close: Close) -> Iterator[Event]:
        self.close()
        self.closed = True
        yield from self.drop()
        yield Closed(states.error_or_none(close.error))

    def _in_session(self, performative: Performative, channel: int, payload: bytes) -> Iterator[Event]:
        session = self._by_remote.get(channel)
        if session is None:
            raise ProtocolError(NOT_ALLOWED, f"channel {channel} has no session")
        match performative:
            case Transfer():
                yield from session.on_transfer(performative, payload)
            case Disposition():
                yield from session.on_disposition(performative)
            case Flow():
                yield from session.on_flow(performative)
            case Attach():
                yield from session.on_attach(performative)
            case Detach():
                yield from session.on_detach(performative)
            case End():
                yield from self._on_end(session, performative, channel)

    def _on_end(self, session: Session, end: End, channel: int) -> Iterator[Event]:
        session.end()
        del self._by_remote[channel], self._sessions[session.channel]
        error = states.error_or_none(end.error)
        for link in session.close():
            yield Detached(link, error)
