"""The servers of all runs: PostgreSQL with the data, Azurite, and the broker with its admin port."""

import json
import re
import signal
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import psycopg
from chaos.proxy import Loop

from devstack.azurite import Azurite
from devstack.broker import QUEUE_PROPERTIES, emulator_config
from devstack.postgres import Postgres
from devstack.process import Launch, Process, start

ROOT = Path(__file__).parents[2]
LOCK_S = 5
QUEUES = 120
ACCOUNTS, BALANCE = 20_000, 1_000
# `slow` takes about 2 s and `long` more than a lock's time, without using a processor.
_DATA = f"""
create table small as select n as id, 'w' || n as word from generate_series(1, 100) as n;
create table medium as select n as id, md5(n::text) as a, n * 1.5 as b, case when n % 7 > 0 then 'x,"y' end as c
    from generate_series(1, 30000) as n;
create table wide as select n as id, (select string_agg(md5(n::text || i), '') from generate_series(1, 30) as i) as a
    from generate_series(1, 12000) as n;
create table accounts as select n::bigint as id, {BALANCE}::bigint as balance, repeat('x', 50) as filler
    from generate_series(1, {ACCOUNTS}) as n;
create view slow as select n as id, md5(n::text) as a, case when n % 20 = 0 then pg_sleep(0.01)::text end as b
    from generate_series(1, 4000) as n;
create view long as select n as id, md5(n::text) as a, case when n % 20 = 0 then pg_sleep(0.04)::text end as b
    from generate_series(1, 4000) as n;
analyze;
"""


class Broker:
    """The Service Bus emulator as a process, and its switches."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "service-bus.json"
        properties = {**QUEUE_PROPERTIES, "LockDuration": f"PT{LOCK_S}S", "MaxDeliveryCount": 200}
        config.write_text(json.dumps(emulator_config([f"chaos-{n}" for n in range(QUEUES)], properties)))
        self._argv = [sys.executable, "-m", "emulators.service_bus", "--config", str(config)]
        self._launch = Launch(directory / "service-bus.log", name="Service Bus broker")
        self.lock = Lock()  # held while it is down
        self.port = self._admin_port = 0
        self.process = self._started()

    def _started(self) -> Process:
        """On the ports of before; at first on free ones."""
        ready = re.compile(r"^Service Bus broker listening on 127\.0\.0\.1:(\d+)$")
        argv = [*self._argv, "--port", str(self.port), "--admin-port", str(self._admin_port)]
        process = start(argv, ready=ready, cwd=ROOT, launch=self._launch)
        admin = re.search(r"Admin API listening on 127\.0\.0\.1:(\d+)", process.output())
        assert process.match is not None
        assert admin is not None
        self.port, self._admin_port = int(process.match[1]), int(admin[1])
        return process

    @contextmanager
    def down(self) -> Iterator[None]:
        """Kills it, and starts it again after the block: with all its queues, and without a message."""
        self.process.send_signal(signal.SIGKILL)
        self.process.close()
        yield
        self.process = self._started()

    def control(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """The answer of a switch, such as POST queues/x/expire-locks."""
        data = None if body is None else json.dumps(body).encode()
        address = f"http://127.0.0.1:{self._admin_port}/$emulator/{path}"
        request = urllib.request.Request(address, data=data, method=method)
        with self.lock, urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            return dict(json.loads(response.read()))

    def connection_string(self, port: int | None = None) -> str:
        """Through a proxy's port, or directly."""
        address = f"Endpoint=sb://127.0.0.1:{port or self.port}"
        return f"{address};SharedAccessKeyName=local;SharedAccessKey=local;UseDevelopmentEmulator=true;"


class Servers:
    """The three servers, and a loop for proxies to them. `postgres_lock` is held while PostgreSQL is restarted."""

    def __init__(self, postgres: Postgres, azurite: Azurite, broker: Broker, loop: Loop) -> None:
        self.postgres, self.azurite, self.broker, self.loop = postgres, azurite, broker, loop
        self.postgres_lock = Lock()
        self.used = 0
        # Under _reading: what was read of the tables that never change.
        self._read: dict[str, bytes] = {}
        self._reading = Lock()

    def admin(self) -> psycopg.Connection[Any]:
        """A superuser's connection."""
        return psycopg.connect(**self.postgres.parameters("postgres"), autocommit=True)  # type: ignore[arg-type]

    def csv_of(self, select: str) -> bytes:
        """What the source gives for a SELECT, as PostgreSQL's own CSV; read once."""
        with self._reading:
            if select not in self._read:
                with self.postgres_lock, self.admin() as connection, connection.cursor() as cursor:
                    cursor.execute("set synchronize_seqscans = off")
                    with cursor.copy(f"copy ({select}) to stdout (format csv, header)".encode()) as out:  # type: ignore[arg-type]
                        self._read[select] = b"".join(bytes(piece) for piece in out)
            return self._read[select]

    @contextmanager
    def transfers(self) -> Iterator[None]:
        """Moves money between accounts meanwhile: the sum of balances is the same in every snapshot."""
        ended = Event()

        def move() -> None:
            number = 0
            while not ended.wait(0.02):
                try:
                    with self.admin() as connection:
                        while not ended.wait(0.01):
                            number = (number * 7919 + 104_729) % (ACCOUNTS - 1)
                            _transfer(connection, number + 1, ACCOUNTS - number)
                except psycopg.Error:
                    continue

        thread = Thread(target=move, name="transfers", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _transfer(connection: psycopg.Connection[Any], giver: int, taker: int) -> None:
    if giver != taker:
        change = "update accounts set balance = balance + case id when %s then -1 else 1 end where id in (%s, %s)"
        connection.execute(change, [giver, giver, taker])


@contextmanager
def open_servers(directory: Path) -> Iterator[Servers]:
    """All of them, with their logs in `directory`."""
    with ExitStack() as opened:
        loop = opened.enter_context(Loop())
        broker = Broker(directory)
        opened.callback(broker.process.close)
        azurite = opened.enter_context(Azurite.start(directory))
        postgres = opened.enter_context(Postgres.start(directory, settings={"max_connections": "80"}))
        servers = Servers(postgres, azurite, broker, loop)
        with servers.admin() as connection:
            connection.execute(_DATA)
            connection.execute("create index on accounts (id)")
        for view in ("slow", "long"):
            servers.csv_of(f"select * from public.{view}")  # a fault may take the server away later
        yield servers
