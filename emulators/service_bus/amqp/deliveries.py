"""One message on its way over a link, in either direction."""

from emulators.service_bus.amqp.performatives import Transfer
from emulators.service_bus.amqp.states import State


class Delivery:
    """A delivery and its state.

    data: the bytes of one that came in; those over the link's limit are counted in `size` and dropped.
    state: what the other end said last. settled: the other end has settled it, and forgotten it.
    """

    __slots__ = ("_pieces", "format", "handle", "id", "settled", "size", "state", "tag")

    def __init__(self, handle: int, tag: bytes, message_format: int, *, settled: bool) -> None:
        self.handle = handle  # of this end's link
        self.id = -1  # known once the first transfer is on its way
        self.tag = tag
        self.format = message_format
        self.settled = settled
        self.state: State | None = None
        self.size = 0
        self._pieces: list[bytes] = []

    def append(self, piece: bytes, limit: int) -> None:
        """Add a piece of the message, or drop all pieces if that makes the message longer than the limit."""
        self.size += len(piece)
        if self.size <= limit:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    @property
    def data(self) -> bytes:
        """The whole message, or b"" if it is over the limit."""
        return b"".join(self._pieces)


class Outgoing:
    """A delivery that is being sent, with its unsent bytes."""

    __slots__ = ("_at", "_payload", "_settled", "delivery", "started")

    def __init__(self, delivery: Delivery, payload: bytes, *, settled: bool) -> None:
        self.delivery = delivery
        self.started = False
        self._payload = payload
        self._settled = settled
        self._at = 0

    def piece(self, room: int) -> tuple[Transfer, bytes]:
        """Return the next transfer with at most `room` bytes."""
        delivery, at = self.delivery, self._at
        self._at += room
        more = self._at < len(self._payload)
        payload = self._payload if at == 0 and not more else self._payload[at : self._at]
        if self.started:
            return Transfer(delivery.handle, settled=self._settled, more=more), payload
        self.started = True
        transfer = Transfer(delivery.handle, delivery.id, delivery.tag, delivery.format, self._settled, more)
        return transfer, payload

    @property
    def finished(self) -> bool:
        """Whether every byte was sent."""
        return self.started and self._at >= len(self._payload)
