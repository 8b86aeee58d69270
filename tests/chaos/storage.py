"""An HTTP proxy before blob storage: answers with errors, answers late, loses answers; records each commit."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import override
from urllib.parse import parse_qs, unquote, urlsplit

from chaos.proxy import LOOK_S, Connection, Loop, Proxy, Way, reset

type Operation = str  # find, stage, commit, other
_ERROR = '<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}, by request</Message></Error>'
_REASONS = {409: "Conflict", 412: "Precondition Failed", 429: "Too Many Requests", 500: "Internal Server Error"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in place of the service's: a status, the service's name of the error, seconds of Retry-After."""

    status: int
    code: str
    retry_after: int | None = None

    def to_bytes(self, *, has_body: bool) -> bytes:
        """As HTTP."""
        body = _ERROR.format(code=self.code).encode()
        lines = [
            f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Service Unavailable')}",
            f"Content-Length: {len(body)}",
            "Content-Type: application/xml",
            f"x-ms-error-code: {self.code}",
            *([] if self.retry_after is None else [f"Retry-After: {self.retry_after}"]),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body if has_body else b"")


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer comes late; the request took effect at once."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Lost:
    """The request takes effect, and the connection is cut before its answer."""


@dataclass(frozen=True, slots=True)
class Torn:
    """The connection is cut before the service has the whole request."""


type HttpFault = Answer | Slow | Lost | Torn


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that the service answered: when (monotonic), which blob, which status."""

    at: float
    blob: str
    status: int


@dataclass(frozen=True, slots=True)
class _Request:
    operation: Operation
    blob: str
    method: str
    body: int

    @classmethod
    def parse(cls, head: bytes) -> "_Request":
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        url = urlsplit(target)
        name = unquote("/".join(url.path.split("/")[3:]))
        component = parse_qs(url.query).get("comp", [""])[0]
        operation = {("HEAD", ""): "find", ("PUT", "block"): "stage", ("PUT", "blocklist"): "commit"}.get(
            (method, component), "commit" if method == "PUT" and "x-ms-blob-type" in headers else "other"
        )
        return cls(operation, name, method, int(headers.get("content-length", 0)))


class StorageProxy(Proxy):
    """Passes requests on, one at a time on each connection."""

    def __init__(self, loop: Loop, target: int, on_commit: Callable[[Commit], None]) -> None:
        super().__init__(loop, target)
        self._on_commit = on_commit
        self._planned: dict[Operation, deque[HttpFault]] = {}

    def plan(self, operation: Operation, fault: HttpFault, times: int = 1) -> None:
        """Lets the next requests of this kind go wrong."""
        self._loop.call(lambda: self._planned.setdefault(operation, deque()).extend([fault] * times))

    @override
    def heal(self) -> None:
        super().heal()
        self._loop.call(self._planned.clear)

    @override
    async def _converse(self, one: Connection, reader: asyncio.StreamReader, from_server: asyncio.StreamReader) -> None:
        # EOF and RST end the conversation; the caller closes both ends.
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, RuntimeError, asyncio.LimitOverrunError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                request = _Request.parse(head)
                body = await reader.readexactly(request.body)
                planned = self._planned.get(request.operation)
                if not await self._answer(
                    one, from_server, request, head + body, planned.popleft() if planned else None
                ):
                    return

    async def _answer(
        self,
        one: Connection,
        from_server: asyncio.StreamReader,
        request: _Request,
        data: bytes,
        fault: HttpFault | None,
    ) -> bool:
        """Whether the connection goes on."""
        await self._passed(one, Way.UP, b"")
        if one.lost:
            return True
        if isinstance(fault, Torn):
            one.server.write(data[: len(data) // 2])
            await one.server.drain()
            one.reset()
            return False
        if isinstance(fault, Answer):
            answer = fault.to_bytes(has_body=request.method != "HEAD")
        else:
            one.server.write(data)
            await one.server.drain()
            answer = await _answer_of(from_server, has_body=request.method != "HEAD")
            if request.operation == "commit":
                self._on_commit(Commit(time.monotonic(), request.blob, int(answer.split(b" ", 2)[1])))
        if isinstance(fault, Lost):
            reset(one.client)
            return False
        await asyncio.sleep(fault.seconds if isinstance(fault, Slow) else 0)
        await self._passed(one, Way.DOWN, data)
        if not one.lost:
            one.client.write(answer)
            await one.client.drain()
        return True

    async def _passed(self, one: Connection, way: Way, data: bytes) -> None:
        """Returns once what lasts lets bytes through, or once the connection is lost."""
        while way in self.hung and not one.lost:
            await asyncio.sleep(LOOK_S)
        await asyncio.sleep(self.delay_s + (len(data) / self.bytes_per_s if self.bytes_per_s else 0.0))


async def _answer_of(reader: asyncio.StreamReader, *, has_body: bool) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    headers = head.decode("latin-1").lower()
    status = int(head.split(b" ", 2)[1])
    if not has_body or status in {204, 304}:
        return head
    if "transfer-encoding: chunked" in headers:
        return head + await _chunks_of(reader)
    length = next((line.partition(":")[2] for line in headers.split("\r\n") if line.startswith("content-length:")), "0")
    return head + await reader.readexactly(int(length))


async def _chunks_of(reader: asyncio.StreamReader) -> bytes:
    """A chunked body as it came."""
    pieces = []
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line, 16)
        pieces += [line, await reader.readexactly(size + 2)]
        if size == 0:
            return b"".join(pieces)
