"""The attach of a client that receives the messages of a session."""

from functools import partial

from emulators.service_bus.amqp import decode, encode, terminus
from emulators.service_bus.amqp.decode import Described
from emulators.service_bus.amqp.link import Link
from emulators.service_bus.amqp.terminus import Source, Terminus
from emulators.service_bus.faults import Faults
from emulators.service_bus.session_queue import Hold, SessionQueue
from emulators.service_bus.subscription import Clock, SessionSubscription, Wish

FILTER = "com.microsoft:session-filter"
# The default wait of a client for the next free session.
WAIT_MS = 60_000
# .NET counts in units of 100 ns from the year 1.
TICKS_AT_1970 = 621_355_968_000_000_000


def asks_for_session(source: Terminus | None) -> bool:
    """Return whether a source asks for a session, by name or any. Raises Malformed."""
    return FILTER in terminus.filters(source)


def subscribe(
    link: Link, queue: SessionQueue, clock: Clock, faults: Faults, source: Source, *, take: bool
) -> SessionSubscription:
    """Make the end of a link that receives the messages of a session: the one that its source names, or the next one.

    Raises Malformed.
    """
    assert link.remote is not None
    wanted = terminus.filters(source)[FILTER]
    session = wanted.value if isinstance(wanted, Described) else wanted
    properties = decode.value(link.remote.properties)
    wait = properties.get("com.microsoft:timeout") if isinstance(properties, dict) else None
    deadline = clock() + (wait if isinstance(wait, int) else WAIT_MS)
    wish = Wish(None if session is None else str(session), deadline, partial(_say_hello, link, source))
    return SessionSubscription(link, queue, clock, faults, take=take, wish=wish)


def _say_hello(link: Link, source: Source, hold: Hold) -> None:
    assert link.remote is not None
    modes = link.remote.snd_settle_mode, link.remote.rcv_settle_mode
    held = source._replace(filter=encode.mapping({encode.symbol(FILTER): encode.string(hold.session)}))
    until = encode.long(hold.until_ms * 10_000 + TICKS_AT_1970)
    properties = encode.mapping({encode.symbol("com.microsoft:locked-until-utc"): until})
    link.attach(terminus.encoded(held), link.remote.target, settle_modes=modes, properties=properties)
