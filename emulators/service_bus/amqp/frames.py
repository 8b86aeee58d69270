"""Bytes ↔ protocol headers and frames (AMQP 1.0, part 2, 2.2 and 2.3)."""

import struct
from typing import NamedTuple

from emulators.service_bus.amqp.errors import FRAMING, ProtocolError

AMQP_HEADER, SASL_HEADER = b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00"
AMQP_KIND, SASL_KIND = 0, 1
SMALLEST_MAX_FRAME = 512
_HEAD = struct.Struct(">IBBH")


class Frame(NamedTuple):
    """One frame; an empty body is a heartbeat."""

    kind: int
    channel: int
    body: bytes


def frame(body: bytes, channel: int = 0, kind: int = AMQP_KIND) -> bytes:
    """Encode a frame.

    >>> frame(b"").hex(" ")
    '00 00 00 08 02 00 00 00'
    """
    return _HEAD.pack(len(body) + 8, 2, kind, channel) + body


class FrameBuffer:
    """Cuts incoming bytes into headers and frames. `max_frame`: the longest frame that is accepted, in bytes."""

    __slots__ = ("_at", "_data", "_max_frame")

    def __init__(self, max_frame: int) -> None:
        self._data = bytearray()
        self._at = 0
        self._max_frame = max_frame

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        del self._data[: self._at]
        self._at = 0
        self._data += data

    def header(self) -> bytes | None:
        """Return the next eight bytes, or None if some are missing."""
        if len(self._data) - self._at < 8:
            return None
        self._at += 8
        return bytes(self._data[self._at - 8 : self._at])

    def next(self) -> Frame | None:
        """Return the next whole frame, or None if bytes are missing. Raises ProtocolError."""
        at = self._at
        if len(self._data) - at < 8:
            return None
        size, offset, kind, channel = _HEAD.unpack_from(self._data, at)
        if not 8 <= offset * 4 <= size:
            raise ProtocolError(FRAMING, f"a frame of {size} bytes has its body at byte {offset * 4}")
        if size > self._max_frame:
            raise ProtocolError(FRAMING, f"a frame has {size} bytes, the limit is {self._max_frame}")
        if len(self._data) - at < size:
            return None
        self._at = at + size
        return Frame(kind, channel, bytes(self._data[at + offset * 4 : self._at]))
