"""A link that a client attaches → the end that serves it, or the reason why there is none."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import cproton as pn  # type: ignore[import-untyped]

from emulators.service_bus import cbs, codec, encode, management
from emulators.service_bus.links import MAX_MESSAGE_BYTES, Clock, Incoming, Link, Outgoing, Subscription, request_link
from emulators.service_bus.nodes import CBS, Node, Nodes, UnknownNode, node_path
from emulators.service_bus.queue import Queue
from emulators.service_bus.requests import CBS as CBS_DIALECT
from emulators.service_bus.requests import MANAGEMENT
from emulators.service_bus.settlement import read_data

SESSION_FILTER = "com.microsoft:session-filter"
_PROPERTIES = encode.mapping({
    encode.symbol("com.microsoft:max-message-batch-size"): encode.ulong(MAX_MESSAGE_BYTES),
})  # fmt: skip


class AttachRefused(Exception):  # noqa: N818
    """A link that is not served; its text is for the person at the other end."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition


class Replies(Protocol):
    """Where answers go: the connection."""

    def reply(self, session: Any, address: str, data: bytes) -> None:
        """Send an answer to whoever listens at an address in a session."""


def attach(nodes: Nodes, clock: Clock, replies: Replies, link: Any) -> tuple[Link, str]:
    """The end for a link, opened, and the path of its node. Raises AttachRefused."""
    incoming = pn.pn_link_is_receiver(link)
    terminus = pn.pn_link_remote_target(link) if incoming else pn.pn_link_remote_source(link)
    if pn.pn_terminus_get_type(terminus) == pn.PN_COORDINATOR:
        raise AttachRefused("amqp:not-implemented", "This broker does not offer transactions.")
    address = pn.pn_terminus_get_address(terminus) or ""
    path = node_path(address)
    node = None if path == CBS else _find(nodes, address)
    if node is not None and not incoming:
        _check_filters(terminus, node)
    if node is not None and incoming and not node.management and node.queue.dead_letters is None:
        raise AttachRefused("amqp:not-allowed", f"Nobody sends to {node.queue.name}; messages are moved there.")
    _open(link, incoming=incoming)
    return _end(link, node, clock, _answering(replies, link, path)), path


def _find(nodes: Nodes, address: str) -> Node:
    try:
        return nodes.find(address)
    except UnknownNode as error:
        raise AttachRefused("amqp:not-found", str(error)) from error


def _check_filters(source: Any, node: Node) -> None:
    filters = read_data(pn.pn_terminus_filter(source))
    if isinstance(filters, dict) and SESSION_FILTER in filters:
        raise AttachRefused(
            "amqp:not-allowed", f"{node.queue.name} has no sessions, nor has any queue of this broker: receive without."
        )


def _open(link: Any, *, incoming: bool) -> None:
    pn.pn_terminus_copy(pn.pn_link_source(link), pn.pn_link_remote_source(link))
    pn.pn_terminus_copy(pn.pn_link_target(link), pn.pn_link_remote_target(link))
    pn.pn_link_set_snd_settle_mode(link, pn.pn_link_remote_snd_settle_mode(link))
    pn.pn_link_set_rcv_settle_mode(link, pn.pn_link_remote_rcv_settle_mode(link))
    if incoming:
        pn.pn_link_set_max_message_size(link, MAX_MESSAGE_BYTES)
        pn.pn_data_decode(pn.pn_link_properties(link), _PROPERTIES)
    pn.pn_link_open(link)


def _end(link: Any, node: Node | None, clock: Clock, reply: Callable[[str, bytes], None]) -> Link:
    incoming = pn.pn_link_is_receiver(link)
    if not incoming and (node is None or node.management):
        return Outgoing(link)
    if node is None:
        return request_link(link, cbs.handle, CBS_DIALECT, reply)
    queue = node.queue
    if node.management:
        return request_link(link, lambda request: management.handle(request, queue, clock()), MANAGEMENT, reply)
    if incoming:
        return Incoming(link, partial(_enqueue, queue, clock))
    return Subscription(link, queue, clock, take=pn.pn_link_remote_snd_settle_mode(link) == pn.PN_SND_SETTLED)


def _enqueue(queue: Queue, clock: Clock, data: bytes) -> None:
    now = clock()
    for message in codec.messages(data):
        queue.enqueue(message, now)


def _answering(replies: Replies, link: Any, path: str) -> Callable[[str, bytes], None]:
    session = pn.pn_link_session(link)

    def reply(reply_to: str, data: bytes) -> None:
        # The SDK gives no reply-to for tokens: the answer goes to the same node's other link.
        replies.reply(session, node_path(reply_to) or path, data)

    return reply
