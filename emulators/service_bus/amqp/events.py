"""What happened at the other end of a connection."""

from dataclasses import dataclass

from emulators.service_bus.amqp.deliveries import Delivery
from emulators.service_bus.amqp.link import Link
from emulators.service_bus.amqp.performatives import Open
from emulators.service_bus.amqp.states import Error


@dataclass(frozen=True, slots=True)
class Opened:
    """The other end sent its open."""

    remote: Open


@dataclass(frozen=True, slots=True)
class Attached:
    """The other end attached a link: a new one, to answer by `attach` or `refuse`, or one that this end began."""

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
    """The connection is closed: nothing more comes, and only what is in the output is sent."""

    error: Error | None


type Event = Opened | Attached | Flowed | Arrived | Updated | Detached | Closed
