"""A link that a client attaches → the end that serves it, or the reason why there is none."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from emulators.service_bus import cbs, codec, management
from emulators.service_bus.amqp import encode
from emulators.service_bus.amqp.decode import Malformed
from emulators.service_bus.amqp.link import Link
from emulators.service_bus.amqp.performatives import Attach
from emulators.service_bus.amqp.terminus import Coordinator, Terminus, address, filters, terminus
from emulators.service_bus.links import MAX_MESSAGE_BYTES, Clock, End, Incoming, Replies, Subscription, request_link
from emulators.service_bus.nodes import CBS, Node, Nodes, UnknownNode, node_path
from emulators.service_bus.queue import Queue
from emulators.service_bus.requests import CBS as CBS_DIALECT
from emulators.service_bus.requests import MANAGEMENT

SESSION_FILTER = "com.microsoft:session-filter"
SETTLED = 1  # snd-settle-mode: messages go out settled
_PROPERTIES = encode.mapping({
    encode.symbol("com.microsoft:max-message-batch-size"): encode.ulong(MAX_MESSAGE_BYTES),
})  # fmt: skip


class AttachRefused(Exception):  # noqa: N818
    """A link that is not served; its text is for the person at the other end."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition


class Answers(Protocol):
    """Where answers to requests go: the connection."""

    def reply(self, channel: int, addresses: tuple[str, ...], data: bytes) -> None:
        """Send an answer on the link of a session that listens at one of the addresses, the first that has one."""


@dataclass(frozen=True, slots=True)
class Served:
    """A link's end, and the addresses at which the client listens for answers through it, if it does."""

    end: End
    addresses: tuple[str, ...] = ()


def attach(nodes: Nodes, clock: Clock, answers: Answers, channel: int, link: Link) -> Served:
    """The end for a link, which is attached by then. Raises AttachRefused."""
    assert link.remote is not None
    try:
        source, target = terminus(link.remote.source), terminus(link.remote.target)
        where = address(source if link.sends else target)
        path = node_path(where)
        node = None if path == CBS else _node(nodes, where, source, target, incoming=not link.sends)
        listens_at = node_path(address(target)) if link.sends else ""
    except Malformed as error:
        raise AttachRefused("amqp:decode-error", str(error)) from error
    _say_hello(link, link.remote)
    if link.sends and (node is None or node.management):
        return Served(Replies(link), (listens_at, path))
    return Served(_end(link, node, clock, partial(_reply, answers, channel, path)))


def _node(nodes: Nodes, where: str, source: Terminus | None, target: Terminus | None, *, incoming: bool) -> Node:
    if isinstance(target, Coordinator):
        raise AttachRefused("amqp:not-implemented", "This broker does not offer transactions.")
    try:
        node = nodes.find(where)
    except UnknownNode as error:
        raise AttachRefused("amqp:not-found", str(error)) from error
    name = node.queue.name
    if not incoming and SESSION_FILTER in filters(source):
        description = f"{name} has no sessions, nor has any queue of this broker: receive without."
        raise AttachRefused("amqp:not-allowed", description)
    if incoming and not node.management and node.queue.dead_letters is None:
        raise AttachRefused("amqp:not-allowed", f"Nobody sends to {name}; messages are moved there.")
    return node


def _say_hello(link: Link, remote: Attach) -> None:
    modes = remote.snd_settle_mode, remote.rcv_settle_mode
    if link.sends:
        link.attach(remote.source, remote.target, settle_modes=modes)
    else:
        size = MAX_MESSAGE_BYTES
        link.attach(remote.source, remote.target, settle_modes=modes, max_message_size=size, properties=_PROPERTIES)


def _end(link: Link, node: Node | None, clock: Clock, reply: Callable[[str, bytes], None]) -> End:
    if node is None:
        return request_link(link, cbs.handle, CBS_DIALECT, reply)
    queue = node.queue
    if node.management:
        return request_link(link, lambda request: management.handle(request, queue, clock()), MANAGEMENT, reply)
    if not link.sends:
        return Incoming(link, partial(_enqueue, queue, clock))
    assert link.remote is not None
    return Subscription(link, queue, clock, take=link.remote.snd_settle_mode == SETTLED)


def _enqueue(queue: Queue, clock: Clock, data: bytes, message_format: int) -> None:
    now = clock()
    for message in codec.messages(data, message_format):
        queue.enqueue(message, now)


def _reply(answers: Answers, channel: int, path: str, reply_to: str, data: bytes) -> None:
    # Some clients give no reply-to for tokens: the answer goes to the same node's other link.
    answers.reply(channel, (node_path(reply_to), path), data)
