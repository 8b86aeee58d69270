"""Faults of a connection: what `tests/chaos/proxy.py` can do with the bytes between a worker and a server."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from chaos.proxy import BOTH, Proxy, Way
from chaos.world import Worker, World

type Acting = Generator[None]
type Act = Callable[[World, Worker], Acting]
type Pick = Callable[[Worker], Proxy]


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault: `act` begins it, is resumed after `seconds`, and ends it. `weight`: how often a mix has it.

    place: what it strikes: one worker's connections (`link`), one worker's process (`process`), or a `server` of all.
    """

    act: Act
    seconds: tuple[float, float] = (0.0, 0.0)
    weight: int = 2
    place: str = "link"


AT_ONCE = (0.0, 0.0)


# How bytes pass if nothing is wrong.
_WELL = {"hung": frozenset[Way](), "delay_s": 0.0, "bytes_per_s": 0, "refusing": False}


def proxied(name: str, pick: Pick, delay_s: float, bytes_per_s: int) -> dict[str, Kind]:
    """The faults of a TCP connection."""
    some = (1.0, 4.0)
    return {
        f"{name} cut by RST": Kind(_lasting(pick, cut=True), AT_ONCE, 4),
        f"{name} hangs to it": Kind(_lasting(pick, hung=frozenset({Way.UP})), some),
        f"{name} hangs from it": Kind(_lasting(pick, hung=frozenset({Way.DOWN})), some),
        f"{name} hangs": Kind(_lasting(pick, hung=BOTH), some),
        f"{name} late": Kind(_lasting(pick, delay_s=delay_s), (1.0, 3.0)),
        f"{name} slow": Kind(_lasting(pick, bytes_per_s=bytes_per_s), (1.0, 3.0)),
        f"{name} half closed to it": Kind(_half_closed(pick, Way.UP)),
        f"{name} half closed from it": Kind(_half_closed(pick, Way.DOWN)),
        f"{name} refuses": Kind(_lasting(pick, cut=True, refusing=True), (1.0, 3.0)),
        f"{name} refuses new connections": Kind(_lasting(pick, refusing=True), (1.0, 3.0)),
    }


def _lasting(pick: Pick, *, cut: bool = False, **fields: object) -> Act:
    """Bytes pass like this for a while; `cut` ends the connections that are open first."""

    def lasts(_: World, worker: Worker) -> Acting:
        pick(worker).set(**fields)
        if cut:
            pick(worker).cut()
        yield
        pick(worker).set(**{name: _WELL[name] for name in fields})

    return lasts


def _half_closed(pick: Pick, way: Way) -> Act:
    def closed(_: World, worker: Worker) -> Acting:
        pick(worker).half_close(way)
        yield

    return closed


def lost_for_ever(pick: Pick) -> Act:
    """All bytes of the connections that are open now vanish, and nobody closes them."""

    def lost(_: World, worker: Worker) -> Acting:
        pick(worker).lose()
        yield

    return lost


def frozen(pick: Pick) -> Act:
    """Connections are accepted and say nothing, now and for ever; those that are opened afterwards are well."""

    def freeze(_: World, worker: Worker) -> Acting:
        pick(worker).set(freezing=True)
        pick(worker).lose()
        yield
        pick(worker).set(freezing=False)

    return freeze
