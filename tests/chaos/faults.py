"""Every kind of fault: how it begins, how long it lasts, how it ends."""

import contextlib
import signal
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import psycopg
from chaos.proxy import BOTH, Proxy, Way
from chaos.servers import LOCK_S
from chaos.storage import Answer, HttpFault, Lost, Slow, Torn
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


KINDS: dict[str, Kind] = {}
_AT_ONCE = (0.0, 0.0)
_EXPORTING = "from pg_stat_activity where usename = 'exporter' and state <> 'idle'"


def _proxied(name: str, pick: Pick, delay_s: float, bytes_per_s: int) -> dict[str, Kind]:
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
        f"{name} cut by RST": Kind(cut, _AT_ONCE, 4),
        f"{name} hangs to it": Kind(hang(frozenset({Way.UP})), (1.0, 4.0)),
        f"{name} hangs from it": Kind(hang(frozenset({Way.DOWN})), (1.0, 4.0)),
        f"{name} hangs": Kind(hang(BOTH), (1.0, 4.0)),
        f"{name} late": Kind(late, (1.0, 3.0)),
        f"{name} slow": Kind(slow, (1.0, 3.0)),
        f"{name} half closed to it": Kind(half(Way.UP), _AT_ONCE),
        f"{name} half closed from it": Kind(half(Way.DOWN), _AT_ONCE),
        f"{name} refuses": Kind(refuse, (1.0, 3.0)),
        f"{name} refuses new connections": Kind(refuse_new, (1.0, 3.0)),
    }


def _lost_for_ever(pick: Pick) -> Act:
    def lost(_: World, worker: Worker) -> Acting:
        pick(worker).lose()
        yield

    return lost


def _frozen(pick: Pick) -> Act:
    """Connections are accepted and say nothing, now and for ever; those that are opened afterwards are well."""

    def frozen(_: World, worker: Worker) -> Acting:
        pick(worker).set(freezing=True)
        pick(worker).lose()
        yield
        pick(worker).set(freezing=False)

    return frozen


def _postgres_silent(_: World, worker: Worker) -> Acting:
    """The kernel's keepalive ends such a connection after a minute; here after some seconds."""
    lost = worker.postgres.lose()
    yield
    worker.postgres.reset(lost)


def _terminate(world: World, _: Worker) -> Acting:
    _as_admin(world, f"select pg_terminate_backend(pid) {_EXPORTING}")
    yield


def _cancel(world: World, _: Worker) -> Acting:
    _as_admin(world, f"select pg_cancel_backend(pid) {_EXPORTING}")
    yield


def _restart(number: int) -> Act:
    def restarted(world: World, _: Worker) -> Acting:
        postgres = world.servers.postgres
        with world.servers.postgres_lock:
            postgres.process.send_signal(number)
            postgres.process.wait(30)
            postgres.process.close()
            yield
            postgres.resume()

    return restarted


def _too_many(world: World, _: Worker) -> Acting:
    _as_admin(world, "alter role exporter connection limit 0")
    _as_admin(world, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'exporter'")
    yield
    _as_admin(world, "alter role exporter connection limit -1")


def _as_admin(world: World, statement: str) -> None:
    with world.servers.postgres_lock, contextlib.suppress(psycopg.OperationalError), world.servers.admin() as admin:
        admin.execute(statement)


def _http(operation: str, fault: HttpFault, times: int = 1) -> Act:
    def planned(_: World, worker: Worker) -> Acting:
        worker.storage.plan(operation, fault, times)
        yield

    return planned


def _broker(path: str, body: dict[str, Any] | None = None, *, of_queue: bool = True) -> Act:
    def switched(world: World, _: Worker) -> Acting:
        world.servers.broker.control("POST", f"queues/{world.queue}/{path}" if of_queue else path, body)
        yield

    return switched


def _settlement(fault: str, times: int = 1, delay_ms: int = 0) -> Act:
    return _broker("settlement-faults", {"fault": fault, "times": times, "delay_ms": delay_ms})


def _killed(_: World, worker: Worker) -> Acting:
    worker.end(signal.SIGKILL)
    yield


def _terminated(world: World, worker: Worker) -> Acting:
    status, seconds = worker.end(signal.SIGTERM)
    world.history.write("drained", worker=worker.name, status=status, seconds=seconds)
    if status != 0:
        said = "did not end within a minute" if status is None else f"ended with status {status}"
        world.noticed.append(("SIGTERM", f"{worker.name} {said} after SIGTERM"))
    yield


def _stopped(_: World, worker: Worker) -> Acting:
    with worker.lock:
        worker.process.send_signal(signal.SIGSTOP)
    yield
    with worker.lock:
        worker.process.send_signal(signal.SIGCONT)


_ALL_MESSAGES = _broker("expire-locks")
KINDS |= _proxied("PostgreSQL", lambda worker: worker.postgres, 0.02, 400_000)
KINDS |= {
    "PostgreSQL goes silent": Kind(_postgres_silent, (3.0, 5.0)),
    "backends terminated": Kind(_terminate, _AT_ONCE, 4, "server"),
    "statements cancelled": Kind(_cancel, _AT_ONCE, 3, "server"),
    "PostgreSQL restarted, fast": Kind(_restart(signal.SIGINT), (0.2, 2.0), 1, "server"),
    "PostgreSQL restarted, immediate": Kind(_restart(signal.SIGQUIT), (0.2, 2.0), 1, "server"),
    "too many connections": Kind(_too_many, (1.0, 3.0), 1, "server"),
}
KINDS |= _proxied("storage", lambda worker: worker.storage, 0.02, 400_000)
KINDS |= {
    "storage frozen": Kind(_frozen(lambda worker: worker.storage), (2.0, 4.0), 1),
    "storage goes silent": Kind(_lost_for_ever(lambda worker: worker.storage), _AT_ONCE, 1),
    "500 to a commit": Kind(_http("commit", Answer(500, "InternalError"), 2)),
    "503 with Retry-After to blocks": Kind(_http("stage", Answer(503, "ServerBusy", 1), 2)),
    "503 with Retry-After to a commit": Kind(_http("commit", Answer(503, "ServerBusy", 1), 2)),
    "429 to a look-up": Kind(_http("find", Answer(429, "TooManyRequests", 1))),
    "409 to a commit": Kind(_http("commit", Answer(409, "BlobAlreadyExists"))),
    "409 to a block": Kind(_http("stage", Answer(409, "ContainerBeingDisabled"))),
    "412 to a commit": Kind(_http("commit", Answer(412, "ConditionNotMet"))),
    "500 to many look-ups": Kind(_http("find", Answer(500, "InternalError"), 4)),
    "slow answer to a commit": Kind(_http("commit", Slow(3.0))),
    "slow answers to blocks": Kind(_http("stage", Slow(2.0), 3)),
    "answer to a commit lost": Kind(_http("commit", Lost()), _AT_ONCE, 5),
    "answer to a block lost": Kind(_http("stage", Lost())),
    "upload of a block torn": Kind(_http("stage", Torn())),
    "commit torn": Kind(_http("commit", Torn())),
}
KINDS |= _proxied("broker", lambda worker: worker.broker, 0.02, 20_000)
KINDS |= {
    "broker frozen": Kind(_frozen(lambda worker: worker.broker), (2.0, 4.0), 1),
    "broker goes silent": Kind(_lost_for_ever(lambda worker: worker.broker), _AT_ONCE, 1),
    "links detached": Kind(_broker("detach-links"), _AT_ONCE, 4, "server"),
    "connections dropped": Kind(_broker("drop-connections", of_queue=False), _AT_ONCE, 2, "server"),
    "locks expired": Kind(_ALL_MESSAGES, _AT_ONCE, 3, "server"),
    "settlements delayed": Kind(_settlement("delay", 3, 2000), _AT_ONCE, 2, "server"),
    "settlements refused": Kind(_settlement("refuse", 2), _AT_ONCE, 2, "server"),
    "settlements lost": Kind(_settlement("lose", 2), _AT_ONCE, 2, "server"),
    "answers to settlements lost": Kind(_settlement("lose-answer", 2), _AT_ONCE, 2, "server"),
}
KINDS |= {
    "worker killed": Kind(_killed, _AT_ONCE, 4, "process"),
    "worker terminated": Kind(_terminated, _AT_ONCE, 3, "process"),
    "worker stopped for a second": Kind(_stopped, (0.5, 1.5), 2, "process"),
    "worker stopped past its lock": Kind(_stopped, (LOCK_S + 2.0, LOCK_S + 4.0), 3, "process"),
}


@dataclass
class Injected:
    """A fault that began; times are monotonic."""

    number: int
    kind: str
    target: str
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    error: str | None = None


def inject(world: World, worker: Worker, kind: str, seconds: float, injected: Injected, stop: Event) -> None:
    """Begins the fault, waits, and ends it; earlier if `stop` is set."""
    world.history.write("fault", number=injected.number, kind=kind, target=injected.target, seconds=seconds)
    acting = KINDS[kind].act(world, worker)
    try:
        next(acting, None)
        stop.wait(seconds)
        next(acting, None)
    except Exception as error:  # noqa: BLE001  # a fault of the harness is reported, and is no finding
        injected.error = f"{type(error).__name__}: {error}"
    injected.ended = time.monotonic()
    world.history.write("fault over", number=injected.number, kind=kind, error=injected.error)
