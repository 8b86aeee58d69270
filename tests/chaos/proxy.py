"""A TCP proxy whose connections fail on demand: cut, hung, late, slow, closed by half, refused, lost."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Thread
from typing import Any, Self

_CHUNK = 65536
LOOK_S = 0.02


class Way(StrEnum):
    """A direction: up is from the client to the server."""

    UP = "up"
    DOWN = "down"


BOTH = frozenset(Way)


class Loop:
    """An event loop in a thread, for all proxies of a world."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._thread.start()

    def run[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns; for any other thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def call[T](self, action: Callable[[], T]) -> T:
        """What an action returns that touches connections."""

        async def acted() -> T:
            return action()

        return self.run(acted())

    def close(self) -> None:
        """Ends all tasks."""

        async def ended() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.run(ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(eq=False)
class Connection:
    """One client and its connection to the server. Bytes of the ways in `lost` vanish."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    lost: set[Way] = field(default_factory=set)

    def reset(self) -> None:
        """RST to both sides."""
        for writer in (self.client, self.server):
            reset(writer)


class Proxy:
    """Listens on a free port, and passes bytes to `target` on this machine. All fields belong to the loop's thread."""

    def __init__(self, loop: Loop, target: int) -> None:
        self._loop = loop
        self._target = target
        self._connections: set[Connection] = set()
        # Written by the faults, through the loop.
        self.hung: frozenset[Way] = frozenset()
        self.delay_s = 0.0
        self.bytes_per_s = 0
        self.refusing = self.freezing = False
        self._server = loop.run(asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20))
        self.port = int(self._server.sockets[0].getsockname()[1])

    def set(self, **fields: Any) -> None:
        """Changes how bytes pass: hung, delay_s, bytes_per_s; refusing or freezing: what becomes of new connections."""
        self._loop.call(lambda: [setattr(self, name, value) for name, value in fields.items()])

    def cut(self) -> int:
        """Ends all connections by RST; how many there were."""
        return self._loop.call(lambda: len([one.reset() for one in list(self._connections)]))

    def half_close(self, way: Way) -> None:
        """Sends FIN in one direction of all connections; the other one stays open."""

        def close() -> None:
            for one in self._connections:
                with contextlib.suppress(OSError, RuntimeError):
                    (one.server if way is Way.UP else one.client).write_eof()

        self._loop.call(close)

    def lose(self, ways: frozenset[Way] = BOTH) -> list[Connection]:
        """Drops all bytes of the connections that are open now, for ever; new ones are not affected."""

        def lose() -> list[Connection]:
            for one in self._connections:
                one.lost |= ways
            return list(self._connections)

        return self._loop.call(lose)

    def reset(self, connections: list[Connection]) -> None:
        """Ends these by RST, as keepalive does with a peer that is gone."""
        self._loop.call(lambda: [one.reset() for one in connections])

    def heal(self) -> None:
        """Lets bytes pass as they come; what is lost stays lost."""
        self.set(hung=frozenset(), delay_s=0.0, bytes_per_s=0, refusing=False, freezing=False)

    def close(self) -> None:
        """Listens no more, and cuts all connections."""
        self._loop.call(self._server.close)
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            reset(writer)
            return
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target, limit=1 << 20)
        except OSError:
            reset(writer)
            return
        one = Connection(writer, to_server, set(BOTH) if self.freezing else set())
        self._connections.add(one)
        try:
            await self._converse(one, reader, from_server)
        finally:
            self._connections.discard(one)
            for ended in (writer, to_server):
                with contextlib.suppress(OSError, RuntimeError):
                    ended.close()

    async def _converse(self, one: Connection, reader: asyncio.StreamReader, from_server: asyncio.StreamReader) -> None:
        pumps = (self._pump(one, Way.UP, reader, one.server), self._pump(one, Way.DOWN, from_server, one.client))
        tasks = [asyncio.ensure_future(pump) for pump in pumps]
        try:
            await asyncio.gather(*tasks)
        except (OSError, RuntimeError):
            one.reset()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(
        self, one: Connection, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(_CHUNK):
            while way in self.hung and way not in one.lost:
                await asyncio.sleep(LOOK_S)
            if wait := self.delay_s + (len(data) / self.bytes_per_s if self.bytes_per_s else 0.0):
                await asyncio.sleep(wait)
            if way not in one.lost:
                writer.write(data)
                await writer.drain()
        if way not in one.lost and writer.can_write_eof():
            writer.write_eof()


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection by RST."""
    if (raw := writer.get_extra_info("socket")) is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
