"""`<queue>/$management`: requests about sessions."""

from collections.abc import Callable

from emulators.service_bus.amqp import encode
from emulators.service_bus.queue import Queue
from emulators.service_bus.requests import Refused, Reply, Request, ok
from emulators.service_bus.rules import NotAllowed
from emulators.service_bus.session_queue import SessionQueue


def _renew(request: Request, queue: Queue, now: int) -> Reply:
    until = _with_sessions(queue).renew_session(request.field("session-id", str), now)
    return ok({"expiration": encode.timestamp(until)})


def _get_state(request: Request, queue: Queue, _now: int) -> Reply:
    state = _with_sessions(queue).state(request.field("session-id", str))
    return ok({"session-state": encode.NULL if state is None else encode.binary(state)})


def _set_state(request: Request, queue: Queue, _now: int) -> Reply:
    session = request.field("session-id", str)
    state = request.body.get("session-state")
    _with_sessions(queue).set_state(session, state if isinstance(state, bytes) else None)
    return ok({})


def _list(request: Request, queue: Queue, now: int) -> Reply:
    skip, top = request.field("skip", int), request.field("top", int)
    names = _with_sessions(queue).sessions(now)[skip : skip + top]
    if not names:
        raise Refused(204, "com.microsoft:session-not-found", "there are no sessions, or no more of them")
    return ok({"skip": encode.int32(skip + len(names)), "sessions-ids": encode.array(map(encode.string, names))})


def _with_sessions(queue: Queue) -> SessionQueue:
    if not isinstance(queue, SessionQueue):
        raise NotAllowed(f"{queue.name} has no sessions")
    return queue


OPERATIONS: dict[str, Callable[[Request, Queue, int], Reply]] = {
    "com.microsoft:renew-session-lock": _renew,
    "com.microsoft:get-session-state": _get_state,
    "com.microsoft:set-session-state": _set_state,
    "com.microsoft:get-message-sessions": _list,
}
