"""What is sampled while a run goes on: memory, PostgreSQL's sessions, workers that end by themselves."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from chaos.world import World

_WRITTEN_S = 5.0  # between two lines of the history that say how much memory each worker has


@contextmanager
def watched(world: World) -> Iterator[None]:
    """For the block: samples four times a second."""
    ended = Event()
    thread = Thread(target=lambda: _watch(world, ended), name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _watch(world: World, ended: Event) -> None:
    reported: set[str] = set()
    written = 0.0
    while not ended.wait(0.25):
        sizes: dict[str, float] = {}
        for worker in world.workers:
            key = f"{worker.name}-{worker.generation}"
            with worker.lock:
                status = worker.process.returncode
                if status is not None and not worker.expected_to_end and key not in reported:
                    reported.add(key)
                    world.noticed.append(
                        ("worker ended", f"{key} by itself, status {status}: {world.last_line_of(worker)}")
                    )
            if (size := worker.rss_mb()) is not None:
                world.memory.setdefault(key, []).append(size)
                sizes[key] = round(size, 1)
        if time.monotonic() > written + _WRITTEN_S:
            written = time.monotonic()
            world.history.write("memory", **sizes)
        world.readers.append(_sessions(world))


def _sessions(world: World) -> dict[str, int]:
    """How many sessions export each request now; further streams of one export share its name."""
    counted: dict[str, int] = {}
    try:
        with world.servers.admin() as connection:
            sql = "select application_name from pg_stat_activity where usename = 'exporter' and state = 'active'"
            for (name,) in connection.execute(sql).fetchall():
                counted[name] = counted.get(name, 0) + 1
    except Exception:  # noqa: BLE001  # the server is being restarted
        return {}
    return counted
