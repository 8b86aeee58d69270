"""What happened at the other end of a connection."""

from dataclasses import dataclass

from emulators.service_bus.amqp.deliveries import Delivery
from emulators.service_bus.amqp.link import Link
from emulators.service_bus.amqp.performatives import Open
from emulators.service_bus.amqp.states import Error


@dataclass(frozen=True, slots=True)
class Opened:
    """The other end said hello."""

    remote: Open


@dataclass(frozen=True, slots=True)
class Attached:
    """The other end wants a link, which is to be answered by `attach` or `refuse`, or has answered one of this end."""

    channel: int  # this end's, of the link's session
    link: Link


@dataclass(frozen=True, slots=True)
class Flowed:
    """The other end changed a link's credit."""

    link: Link


@dataclass(frozen=True, slots=True)
class Arrived:
    """A whole message came."""

    link: Link
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Updated:
    """The other end gave a delivery a state, or settled it."""

    link: Link
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Detached:
    """The other end ended a link, or the session or connection around it."""

    link: Link
    error: Error | None


@dataclass(frozen=True, slots=True)
class Closed:
    """The conversation is over: nothing comes any more, and nothing but what is in the output goes."""

    error: Error | None


type Event = Opened | Attached | Flowed | Arrived | Updated | Detached | Closed
