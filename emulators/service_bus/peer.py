"""One client's connection: bytes in and out of proton, its events to the links, its endpoints opened and freed."""

import socket
from collections.abc import Callable
from typing import Any, ClassVar

import cproton as pn  # type: ignore[import-untyped]

from emulators.service_bus.attach import AttachRefused, Replies
from emulators.service_bus.links import Link, Outgoing, Subscription, close_link
from emulators.service_bus.settlement import set_condition
from emulators.service_bus.turns import Turns

type Attach = Callable[[Replies, Any], tuple[Link, str]]

CHUNK = 64 * 1024
MAX_FRAME = 64 * 1024
# Proton announces half of it to the client, so that a late heartbeat is no reason to hang up: 4 minutes, as Azure does.
IDLE_MS = 480_000


class Peer:
    """A connection from its accepted socket to its end. Nothing here blocks, and no error of the client gets out."""

    def __init__(self, connected: socket.socket, attach: Attach, turns: "Turns[Peer]") -> None:
        self.socket = connected
        self.closed = False
        self.opened = False
        self._ended = False
        self._attach = attach
        self._turns = turns
        self._links: dict[Any, Link] = {}
        self._replies: dict[tuple[Any, str], Outgoing] = {}
        self._transport = pn.pn_transport()
        pn.pn_transport_set_server(self._transport)
        pn.pn_transport_set_max_frame(self._transport, MAX_FRAME)
        pn.pn_transport_set_idle_timeout(self._transport, IDLE_MS)
        pn.pn_sasl_allowed_mechs(pn.pn_sasl(self._transport), "ANONYMOUS")
        self._connection = pn.pn_connection()
        self._collector = pn.pn_collector()
        pn.pn_connection_collect(self._connection, self._collector)
        pn.pn_connection_set_container(self._connection, "service-bus")
        pn.pn_transport_bind(self._transport, self._connection)

    def read(self) -> None:
        """Take what the socket has, and act on it."""
        try:
            data = self.socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            pn.pn_transport_close_tail(self._transport)
            self._ended = True
        while data:
            taken = pn.pn_transport_push(self._transport, data)
            if taken <= 0:
                self._ended = True
                break
            data = data[taken:]
        self._dispatch()

    def write(self) -> bool:
        """Send what waits, as far as the socket takes it. True if some of it still waits."""
        while not self.closed and (pending := pn.pn_transport_pending(self._transport)) > 0:
            self._dispatch()
            try:
                sent = self.socket.send(pn.pn_transport_peek(self._transport, pending)[1])
            except BlockingIOError:
                self.closed = self._ended
                return True
            except OSError:
                self.closed = True
                return False
            pn.pn_transport_pop(self._transport, sent)
        self._dispatch()
        # Less than 0: proton has said its last word.
        if self._ended or pn.pn_transport_pending(self._transport) < 0:
            self.closed = True
        return False

    def tick(self, now_ms: int) -> int:
        """Let proton send a heartbeat or give up on a silent client; when to come again, 0 for never."""
        return int(pn.pn_transport_tick(self._transport, now_ms))

    def hang_up(self) -> None:
        """Close with an error that says why, if the client still listens."""
        condition = pn.pn_connection_condition(self._connection)
        set_condition(condition, "amqp:connection:forced", "The broker is shutting down.")
        pn.pn_connection_close(self._connection)

    def free(self) -> None:
        """Give everything back. What the client had locked stays so until its lock ends, as a killed client's would."""
        self.closed = True
        self.socket.close()
        for link in list(self._links):
            self._forget(link)
        pn.pn_transport_unbind(self._transport)
        pn.pn_connection_release(self._connection)  # ends its sessions and links, but keeps our reference
        pn.pn_decref(self._connection)
        pn.pn_collector_free(self._collector)
        pn.pn_decref(self._transport)

    def reply(self, session: Any, address: str, data: bytes) -> None:
        """Send an answer on the link that the same session attached for answers from that address."""
        outgoing = self._replies.get((session, address))
        if outgoing is not None:
            outgoing.send(data)

    def _dispatch(self) -> None:
        while not pn.isnull(event := pn.pn_collector_peek(self._collector)):
            if act := self._ACTIONS.get(pn.pn_event_type(event)):
                act(self, event)
            pn.pn_collector_pop(self._collector)

    def _on_delivery(self, event: Any) -> None:
        delivery = pn.pn_event_delivery(event)
        if link := self._links.get(pn.pn_delivery_link(delivery)):
            link.on_delivery(delivery)

    def _on_flow(self, event: Any) -> None:
        if link := self._links.get(pn.pn_event_link(event)):
            link.on_flow()

    def _on_connection_open(self, _: Any) -> None:
        self.opened = True
        pn.pn_connection_open(self._connection)

    def _on_connection_close(self, _: Any) -> None:
        pn.pn_connection_close(self._connection)

    def _on_session_open(self, event: Any) -> None:
        pn.pn_session_open(pn.pn_event_session(event))

    def _on_session_close(self, event: Any) -> None:
        session = pn.pn_event_session(event)
        for link in [link for link in self._links if pn.pn_link_session(link) == session]:
            self._forget(link)
        pn.pn_session_close(session)
        pn.pn_session_free(session)

    def _on_link_open(self, event: Any) -> None:
        link = pn.pn_event_link(event)
        try:
            end, address = self._attach(self, link)
        except AttachRefused as error:
            # Without source and target in the answer, the client knows that it is about to be detached.
            pn.pn_terminus_set_type(pn.pn_link_source(link), pn.PN_UNSPECIFIED)
            pn.pn_terminus_set_type(pn.pn_link_target(link), pn.PN_UNSPECIFIED)
            pn.pn_link_open(link)
            close_link(link, error.condition, str(error))
            return
        self._links[link] = end
        if isinstance(end, Subscription):
            self._turns.join(end, self)
        if isinstance(end, Outgoing):
            self._replies[pn.pn_link_session(link), address] = end

    def _on_link_close(self, event: Any) -> None:
        link = pn.pn_event_link(event)
        self._forget(link)
        pn.pn_link_close(link)
        pn.pn_link_free(link)

    def _on_link_detach(self, event: Any) -> None:
        link = pn.pn_event_link(event)
        self._forget(link)
        pn.pn_link_detach(link)
        pn.pn_link_free(link)

    def _forget(self, link: Any) -> None:
        end = self._links.pop(link, None)
        if isinstance(end, Subscription):
            self._turns.leave(end)
        for key in [key for key, outgoing in self._replies.items() if outgoing is end]:
            del self._replies[key]

    _ACTIONS: ClassVar[dict[int, Callable[["Peer", Any], None]]] = {
        pn.PN_DELIVERY: _on_delivery,
        pn.PN_LINK_FLOW: _on_flow,
        pn.PN_CONNECTION_REMOTE_OPEN: _on_connection_open,
        pn.PN_CONNECTION_REMOTE_CLOSE: _on_connection_close,
        pn.PN_SESSION_REMOTE_OPEN: _on_session_open,
        pn.PN_SESSION_REMOTE_CLOSE: _on_session_close,
        pn.PN_LINK_REMOTE_OPEN: _on_link_open,
        pn.PN_LINK_REMOTE_CLOSE: _on_link_close,
        pn.PN_LINK_REMOTE_DETACH: _on_link_detach,
    }
