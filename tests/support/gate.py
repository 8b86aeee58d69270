"""Holds exports in the middle of a table until a test lets them go."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from support.waiting import until

_KEY = 4711
_WAITING = """select pid from pg_locks where locktype = 'advisory' and not granted
    and database = (select oid from pg_database where datname = current_database())"""


class Gate:
    """Exports of the view `gated` wait before its last row until the gate is open."""

    def __init__(self, admin: psycopg.Connection, rows: int) -> None:
        self._admin = admin
        self.rows = rows
        admin.execute(
            f"""create view gated as select n as id, repeat(md5(n::text), 20) as filler,
            case when n = {rows} then pg_advisory_xact_lock_shared({_KEY})::text end as gate
            from generate_series(1, {rows}) as n"""
        )

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Closed for the block, unless `open` is called before its end."""
        self._admin.execute("select pg_advisory_lock(%s)", [_KEY])
        try:
            yield
        finally:
            self.open()

    def open(self) -> None:
        """Lets all exports through."""
        self._admin.execute("select pg_advisory_unlock_all()")

    def wait_for(self, count: int = 1, timeout_s: float = 30) -> list[int]:
        """The backends of the waiting exports, once there are at least `count`."""
        return until(lambda: found if len(found := self.waiting()) >= count else [], "exports at the gate", timeout_s)

    def waiting(self) -> list[int]:
        """The backends of the exports that wait now."""
        return [pid for (pid,) in self._admin.execute(_WAITING).fetchall()]
