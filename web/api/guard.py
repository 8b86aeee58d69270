"""Who may call: keys, same origin, sizes and rates are checked before anything else sees a call."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OPEN = {"/api/ui", "/api/ui/"}
_READS = {"GET", "HEAD", "OPTIONS"}
_LONGEST_NAME = 200
# A page must not run anything of others, be framed by others, or be read by others.
_HEADERS = {
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Refusal(NamedTuple):
    """Why a call is refused, as a status and what its body says."""

    status: int
    error: str
    advice: str


class Call(NamedTuple):
    """What is looked at of a call."""

    method: str
    headers: Headers
    query: str

    @property
    def key(self) -> str | None:
        """The key that it carries, in the header or the query that Azure Functions know."""
        return self.headers.get("x-functions-key") or next(iter(parse_qs(self.query).get("code", [])), None)


# Who calls, or why the call is refused.
type Access = Callable[[Call], str | Refusal]


def with_key(key: str, who: str) -> Access:
    """Whoever has the key is `who`."""

    def check(call: Call) -> str | Refusal:
        if secrets.compare_digest((call.key or "").encode(), key.encode()):
            return who
        return Refusal(401, "the key of this server is missing or wrong", "open the address that `tailrace ui` printed")

    return check


def with_function_key(environ: Mapping[str, str]) -> Access:
    """The host has checked a function key before; if App Service signs people in too, the call is the person's.

    Which key it was, the host does not say to Python.
    """
    return lambda call: _signed_in(call, environ) or "function key"


def with_sign_in(environ: Mapping[str, str]) -> Access:
    """App Service signs people in and says who they are."""

    def check(call: Call) -> str | Refusal:
        if not _signs_in(environ):
            return Refusal(401, "nobody can be signed in", "switch authentication of this app on, or use function keys")
        who = _signed_in(call, environ)
        if who is None:
            return Refusal(401, "you are not signed in", "sign in at /.auth/login/aad")
        # A form of another site cannot send it.
        if call.method not in _READS and "x-tailrace" not in call.headers:
            return Refusal(403, "the header X-Tailrace is missing", "send it, with any value")
        return who

    return check


def _signs_in(environ: Mapping[str, str]) -> bool:
    return environ.get("WEBSITE_AUTH_ENABLED", "").lower() == "true"


def _signed_in(call: Call, environ: Mapping[str, str]) -> str | None:
    """The person, if App Service signs people in: else anybody may write its headers."""
    if not _signs_in(environ):
        return None
    who = call.headers.get("x-ms-client-principal-name") or call.headers.get("x-ms-client-principal-id")
    return who[:_LONGEST_NAME] if who else None


def of_other_site(call: Call) -> Refusal | None:
    """Why a browser's call for another site is refused; None for all others."""
    site, origin = call.headers.get("sec-fetch-site"), call.headers.get("origin")
    hosts = {call.headers.get("host"), call.headers.get("x-forwarded-host")}
    is_same = site in {"same-origin", "none"} if site else origin is None or urlsplit(origin).netloc in hosts
    return None if is_same else Refusal(403, "another site may not call this one", "use the page of this server")


@dataclass(slots=True)
class Rate:
    """Calls of all callers: `burst` at once, `per_second` in the long run. Used by the event loop's thread only."""

    per_second: float
    burst: float
    _left: float = field(init=False)
    _at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._left = self.burst

    def takes(self) -> bool:
        """Whether one more call may be done now."""
        now = time.monotonic()
        self._left, self._at = min(self.burst, self._left + (now - self._at) * self.per_second), now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(slots=True)
class Limits:
    """What a server bears. `body_bytes` is the most that a call may carry."""

    reads: Rate = field(default_factory=lambda: Rate(per_second=20, burst=200))
    writes: Rate = field(default_factory=lambda: Rate(per_second=2, burst=40))
    body_bytes: int = 256 * 1024


class Guard:
    """An ASGI app around another: lets pass only what may pass, and says who calls in the scope's `who`."""

    def __init__(self, app: ASGIApp, access: Access, limits: Limits, hosts: frozenset[str] | None = None) -> None:
        """`hosts`: the only names by which the server may be called; None for any."""
        self._app, self._access, self._limits, self._hosts = app, access, limits, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        verdict = self._verdict(scope)
        if isinstance(verdict, Refusal):
            await _refuse(verdict, send)
            return
        body = await _whole(receive, self._limits.body_bytes)
        if body is None:
            most = f"{self._limits.body_bytes // 1024} KB"
            await _refuse(Refusal(413, f"the body is larger than {most}", "ask for less at once"), send)
            return
        await self._app({**scope, "who": verdict}, _replayed(body), _with_headers(send))

    def _verdict(self, scope: Scope) -> str | Refusal:
        call = Call(scope["method"], Headers(scope=scope), scope["query_string"].decode("latin-1"))
        host = call.headers.get("host", "")
        if self._hosts is not None and host not in self._hosts:
            return Refusal(421, f"this server is not {host[:100]!r}", "call it by the address that it printed")
        is_read = call.method in _READS
        if not (self._limits.reads if is_read else self._limits.writes).takes():
            return Refusal(429, "too many calls", "wait a second")
        if is_read and scope["path"] in _OPEN:
            return "anybody"
        return of_other_site(call) or self._access(call)


async def _whole(receive: Receive, most: int) -> bytes | None:
    """The body; None if it is larger than `most`."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes) -> Receive:
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return receive


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in _HEADERS.items())]
        await send(message)

    return sending


async def _refuse(refusal: Refusal, send: Send) -> None:
    document: dict[str, Any] = {"error": refusal.error, "advice": refusal.advice}
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refusal.status == 429:
        headers.append((b"retry-after", b"1"))
    start: Message = {"type": "http.response.start", "status": refusal.status, "headers": headers}
    await _with_headers(send)(start)
    await send({"type": "http.response.body", "body": body})
