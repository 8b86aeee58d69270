"""Thrift's compact protocol, in which a Parquet file describes itself: structs as dicts by the fields' numbers."""

import struct
from typing import Any


class Thrift:
    """Reads `data` from `at` on; `at` is then behind what was read."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at

    def struct(self) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            delta, kind = head >> 4, head & 15
            number = number + delta if delta else self._integer()
            assert number not in fields
            fields[number] = kind == 1 if kind in {1, 2} else self._value(kind)
        return fields

    def _value(self, kind: int) -> Any:
        match kind:
            case 1 | 2 | 3:  # a boolean in a list is a byte
                return self._byte()
            case 4 | 5 | 6:
                return self._integer()
            case 7:
                return struct.unpack("<d", self._bytes(8))[0]
            case 8:
                return self._bytes(self._varint())
            case 9 | 10:
                head = self._byte()
                size = head >> 4 if head >> 4 < 15 else self._varint()
                return [self._value(head & 15) for _ in range(size)]
            case 12:
                return self.struct()
        raise AssertionError(f"Parquet has no field of Thrift's type {kind}")

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, size: int) -> bytes:
        assert 0 <= size <= len(self._data) - self.at, "a field ends inside the file"
        self.at += size
        return self._data[self.at - size : self.at]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def _integer(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)
