"""A link that a client attaches → the end that serves it, or the reason why there is none."""

from dataclasses import dataclass
from functools import partial
from typing import Protocol

from emulators.service_bus import cbs, codec, management
from emulators.service_bus.amqp import encode
from emulators.service_bus.amqp.decode import Malformed
from emulators.service_bus.amqp.link import Link
from emulators.service_bus.amqp.performatives import Attach
from emulators.service_bus.amqp.terminus import Coordinator, Source, Terminus, address, terminus
from emulators.service_bus.faults import Faults
from emulators.service_bus.links import MAX_MESSAGE_BYTES, End, Incoming, Replies, request_link
from emulators.service_bus.nodes import CBS, Node, Nodes, NotOffered, UnknownNode, node_path
from emulators.service_bus.queue import Queue
from emulators.service_bus.requests import CBS as CBS_DIALECT
from emulators.service_bus.requests import MANAGEMENT, Refused, Reply, Request
from emulators.service_bus.rules import NotAllowed
from emulators.service_bus.session_attach import asks_for_session, subscribe
from emulators.service_bus.session_queue import SessionQueue
from emulators.service_bus.subscription import Clock, Subscription

SETTLED = 1  # snd-settle-mode: messages go out settled
_PROPERTIES = encode.mapping({
    encode.symbol("com.microsoft:max-message-batch-size"): encode.ulong(MAX_MESSAGE_BYTES),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Broker:
    """The queues behind the links. `clock`: ms since 1970, UTC."""

    nodes: Nodes
    clock: Clock
    faults: Faults


class AttachRefused(Exception):  # noqa: N818
    """A link is refused; the text is for the person at the other end."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition


class Answers(Protocol):
    """Takes answers to requests: a connection."""

    def reply(self, channel: int, addresses: tuple[str, ...], data: bytes) -> None:
        """Send an answer on the link that listens at one of the addresses; the first address with a link wins."""


@dataclass(frozen=True, slots=True)
class Served:
    """A link's end, the addresses at which the client listens for answers through it, and the queue that it leads to.

    queue: None for a link that carries requests or answers.
    """

    end: End
    addresses: tuple[str, ...] = ()
    queue: Queue | None = None


def attach(broker: Broker, answers: Answers, channel: int, link: Link) -> Served:
    """Make the end for a link and attach it, at once or when it holds a session. Raises AttachRefused."""
    assert link.remote is not None
    try:
        source, target = terminus(link.remote.source), terminus(link.remote.target)
        where = address(source if link.sends else target)
        path = node_path(where)
        node = None if path == CBS else _node(broker.nodes, where, source, target, incoming=not link.sends)
        listens_at = node_path(address(target)) if link.sends else ""
    except Malformed as error:
        raise AttachRefused("amqp:decode-error", str(error)) from error
    if node is not None and not node.management:
        return _to_queue(broker, node.queue, link, link.remote, source)
    _say_hello(link, link.remote)
    if link.sends:
        return Served(Replies(link), (listens_at, path))
    reply = partial(_reply, answers, channel, path)
    if node is None:
        return Served(request_link(link, cbs.handle, CBS_DIALECT, reply))
    handle = partial(_manage, node.queue, broker.clock)
    return Served(request_link(link, handle, MANAGEMENT, reply))


def _to_queue(broker: Broker, queue: Queue, link: Link, remote: Attach, source: Terminus | None) -> Served:
    take = remote.snd_settle_mode == SETTLED
    if link.sends and isinstance(queue, SessionQueue) and isinstance(source, Source):
        end: End = subscribe(link, queue, broker.clock, broker.faults, source, take=take)
        return Served(end, queue=queue)
    _say_hello(link, remote)
    if link.sends:
        return Served(Subscription(link, queue, broker.clock, broker.faults, take=take), queue=queue)
    return Served(Incoming(link, partial(_enqueue, queue, broker.clock)), queue=queue)


def _node(nodes: Nodes, where: str, source: Terminus | None, target: Terminus | None, *, incoming: bool) -> Node:
    if isinstance(target, Coordinator):
        raise AttachRefused("amqp:not-implemented", "This broker does not offer transactions.")
    try:
        node = nodes.find(where)
    except NotOffered as error:
        raise AttachRefused("amqp:not-implemented", str(error)) from error
    except UnknownNode as error:
        raise AttachRefused("amqp:not-found", str(error)) from error
    why = None if node.management else _why_not(node.queue, incoming=incoming, by_session=asks_for_session(source))
    if why:
        raise AttachRefused("amqp:not-allowed", why)
    return node


def _why_not(queue: Queue, *, incoming: bool, by_session: bool) -> str | None:
    name = queue.name
    if incoming:
        return f"Nobody sends to {name}; messages are moved there." if queue.dead_letters is None else None
    if queue.forward_to is not None:
        return f"{name} forwards its messages to {queue.forward_to.name}: receive there."
    if by_session and not isinstance(queue, SessionQueue):
        return f"{name} has no sessions: receive without."
    if isinstance(queue, SessionQueue) and not by_session:
        return f"{name} requires sessions: receive the messages of a session, or of the next one."
    return None


def _say_hello(link: Link, remote: Attach) -> None:
    modes = remote.snd_settle_mode, remote.rcv_settle_mode
    if link.sends:
        link.attach(remote.source, remote.target, settle_modes=modes)
    else:
        size = MAX_MESSAGE_BYTES
        link.attach(remote.source, remote.target, settle_modes=modes, max_message_size=size, properties=_PROPERTIES)


def _enqueue(queue: Queue, clock: Clock, data: bytes, message_format: int) -> None:
    try:
        queue.enqueue_all(codec.messages(data, message_format), clock())
    except NotAllowed as error:
        raise Refused(400, "amqp:not-allowed", str(error)) from error


def _manage(queue: Queue, clock: Clock, request: Request) -> Reply:
    return management.handle(request, queue, clock())


def _reply(answers: Answers, channel: int, path: str, reply_to: str, data: bytes) -> None:
    # Some clients give no reply-to for tokens: the answer goes to the same node's other link.
    answers.reply(channel, (node_path(reply_to), path), data)
