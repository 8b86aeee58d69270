"""Every kind of fault: how it begins, how long it lasts, how it ends."""

import contextlib
import signal
import time
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import psycopg
from chaos.links import AT_ONCE, Act, Acting, Kind, frozen, lost_for_ever, proxied
from chaos.servers import LOCK_S
from chaos.storage import Answer, HttpFault, Lost, Slow, Torn
from chaos.world import Worker, World

KINDS: dict[str, Kind] = {}
_EXPORTING = "from pg_stat_activity where usename = 'exporter' and state <> 'idle'"


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


def _broker_restarted(world: World, _: Worker) -> Acting:
    with world.broker_restarts():
        yield


def _settlement(fault: str, times: int = 1, delay_ms: int = 0) -> Act:
    return _broker("settlement-faults", {"fault": fault, "times": times, "delay_ms": delay_ms})


def _killed(_: World, worker: Worker) -> Acting:
    worker.end(signal.SIGKILL)
    yield


def _terminated(world: World, worker: Worker) -> Acting:
    status, seconds, was_ready = worker.end(signal.SIGTERM)
    world.history.write("drained", worker=worker.name, status=status, seconds=seconds)
    # One that is still being started has no handler yet, and any process ends by the signal then.
    if status != 0 and (was_ready or status is None):
        said = "did not end within a minute" if status is None else f"ended with status {status}"
        world.noticed.append(("SIGTERM", f"{worker.name} {said} after SIGTERM"))
    yield


def _stopped(_: World, worker: Worker) -> Acting:
    with worker.lock:
        process = worker.process
        process.send_signal(signal.SIGSTOP)
    yield
    # Without the lock: it may be held by SIGTERM, which a stopped process notices only once it goes on.
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)


_ALL_MESSAGES = _broker("expire-locks")
KINDS |= proxied("PostgreSQL", lambda worker: worker.postgres, 0.02, 400_000)
KINDS |= {
    "PostgreSQL goes silent": Kind(_postgres_silent, (3.0, 5.0)),
    "backends terminated": Kind(_terminate, AT_ONCE, 4, "server"),
    "statements cancelled": Kind(_cancel, AT_ONCE, 3, "server"),
    "PostgreSQL restarted, fast": Kind(_restart(signal.SIGINT), (0.2, 2.0), 1, "server"),
    "PostgreSQL restarted, immediate": Kind(_restart(signal.SIGQUIT), (0.2, 2.0), 1, "server"),
    "too many connections": Kind(_too_many, (1.0, 3.0), 1, "server"),
}
KINDS |= proxied("storage", lambda worker: worker.storage, 0.02, 400_000)
KINDS |= {
    "storage frozen": Kind(frozen(lambda worker: worker.storage), (2.0, 4.0), 1),
    "storage goes silent": Kind(lost_for_ever(lambda worker: worker.storage), AT_ONCE, 1),
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
    "answer to a commit lost": Kind(_http("commit", Lost()), AT_ONCE, 5),
    "answer to a block lost": Kind(_http("stage", Lost())),
    "upload of a block torn": Kind(_http("stage", Torn())),
    "commit torn": Kind(_http("commit", Torn())),
}
KINDS |= proxied("broker", lambda worker: worker.broker, 0.02, 20_000)
KINDS |= {
    "broker frozen": Kind(frozen(lambda worker: worker.broker), (2.0, 4.0), 1),
    "broker goes silent": Kind(lost_for_ever(lambda worker: worker.broker), AT_ONCE, 1),
    "broker restarted": Kind(_broker_restarted, (0.2, 2.0), 1, "server"),
    "links detached": Kind(_broker("detach-links"), AT_ONCE, 4, "server"),
    "connections dropped": Kind(_broker("drop-connections", of_queue=False), AT_ONCE, 2, "server"),
    "locks expired": Kind(_ALL_MESSAGES, AT_ONCE, 3, "server"),
    "settlements delayed": Kind(_settlement("delay", 3, 2000), AT_ONCE, 2, "server"),
    "settlements refused": Kind(_settlement("refuse", 2), AT_ONCE, 2, "server"),
    "settlements lost": Kind(_settlement("lose", 2), AT_ONCE, 2, "server"),
    "answers to settlements lost": Kind(_settlement("lose-answer", 2), AT_ONCE, 2, "server"),
}
KINDS |= {
    "worker killed": Kind(_killed, AT_ONCE, 4, "process"),
    "worker terminated": Kind(_terminated, AT_ONCE, 3, "process"),
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
