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


def proxied(name: str, pick: Pick, delay_s: float, bytes_per_s: int) -> dict[str, Kind]:
    """The faults of a TCP connection."""

    def cut(_: World, worker: Worker) -> Acting:
        pick(worker).cut()
        yield

    def hang(ways: frozenset[Way]) -> Act:
        def hung(_: World, worker: Worker) -> Acting:
            pick(worker).set(hung=set(ways))
            yield
            pick(worker).set(hung=set())

        return hung

    def late(_: World, worker: Worker) -> Acting:
        pick(worker).set(delay_s=delay_s)
        yield
        pick(worker).set(delay_s=0.0)

    def slow(_: World, worker: Worker) -> Acting:
        pick(worker).set(bytes_per_s=bytes_per_s)
        yield
        pick(worker).set(bytes_per_s=0)

    def half(way: Way) -> Act:
        def closed(_: World, worker: Worker) -> Acting:
            pick(worker).half_close(way)
            yield

        return closed

    def refuse(_: World, worker: Worker) -> Acting:
        pick(worker).set(refusing=True)
        pick(worker).cut()
        yield
        pick(worker).set(refusing=False)

    def refuse_new(_: World, worker: Worker) -> Acting:
        pick(worker).set(refusing=True)
        yield
        pick(worker).set(refusing=False)

    return {
        f"{name} cut by RST": Kind(cut, AT_ONCE, 4),
        f"{name} hangs to it": Kind(hang(frozenset({Way.UP})), (1.0, 4.0)),
        f"{name} hangs from it": Kind(hang(frozenset({Way.DOWN})), (1.0, 4.0)),
        f"{name} hangs": Kind(hang(BOTH), (1.0, 4.0)),
        f"{name} late": Kind(late, (1.0, 3.0)),
        f"{name} slow": Kind(slow, (1.0, 3.0)),
        f"{name} half closed to it": Kind(half(Way.UP), AT_ONCE),
        f"{name} half closed from it": Kind(half(Way.DOWN), AT_ONCE),
        f"{name} refuses": Kind(refuse, (1.0, 3.0)),
        f"{name} refuses new connections": Kind(refuse_new, (1.0, 3.0)),
    }


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
