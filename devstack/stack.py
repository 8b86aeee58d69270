"""The embedded stack: PostgreSQL, Azurite and the Service Bus broker, started together on free ports.

with Stack.start(directory) as stack:
    settings = Settings.from_env(stack.environ())
"""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Literal, Self

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from devstack.azurite import Azurite
from devstack.broker import Broker
from devstack.postgres import Postgres
from devstack.postgres_address import DATABASE
from devstack.postgres_cluster import lasting_cluster, memo_of, write_private

QUEUE = CONTAINER = "exports"


class Stack:
    """The three running servers, with the queue and the container `exports`."""

    def __init__(self, postgres: Postgres, azurite: Azurite, service_bus: Broker, spare_queues: list[str]) -> None:
        self.postgres, self.azurite, self.service_bus = postgres, azurite, service_bus
        self._spare_queues = iter(spare_queues)
        with BlobServiceClient.from_connection_string(azurite.connection_string) as client:
            with suppress(ResourceExistsError):
                client.create_container(CONTAINER)

    @classmethod
    def start_lasting(cls, directory: Path) -> Self:
        """As `start`, with tables, blobs, ports and passwords that are the same at the next start; messages are not.

        All of it is in `directory`. Raises ProcessError also if one of the ports is taken.
        """
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / "lasting.json"
        memo: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        with ExitStack() as started:
            azurite = Azurite.start(
                directory, persistence="disk", port=memo.get("azurite", 0), key=memo.get("azurite_key")
            )
            started.callback(azurite.close)
            broker = started.enter_context(Broker.start(directory, [QUEUE], port=memo.get("broker", 0)))
            cluster = lasting_cluster(directory, memo.get("cluster"))
            postgres = started.enter_context(Postgres.start(directory, cluster=cluster, port=memo.get("postgres", 0)))
            ports = {"postgres": postgres.port, "azurite": azurite.port, "broker": broker.port}
            others = {"azurite_key": azurite.key, "cluster": memo_of(cluster)}
            write_private(file, json.dumps(ports | others))
            stack = cls(postgres, azurite, broker, [])
            started.pop_all()
        return stack

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        spare_queues: int = 0,
        persistence: Literal["memory", "disk"] = "memory",
    ) -> Self:
        """Start all three, with their logs in `directory`, and wait until they are ready: 1 to 2 s.

        spare_queues: the number of queues for `unused_queue`. persistence: where Azurite keeps blobs.
        Raises ProcessError or RuntimeError with the reason of the first server that did not start;
        no server is left running then.
        """
        directory.mkdir(parents=True, exist_ok=True)
        spares = [f"spare-{number}" for number in range(1, spare_queues + 1)]
        with ThreadPoolExecutor() as pool, ExitStack() as started:
            azurite = pool.submit(Azurite.start, directory, persistence=persistence)
            broker = pool.submit(Broker.start, directory, [QUEUE, *spares])
            postgres = pool.submit(Postgres.start, directory)
            for starting in (azurite, broker, postgres):
                started.callback(_close, starting)
            stack = cls(postgres.result(), azurite.result(), broker.result(), spares)
            started.pop_all()
        return stack

    def environ(self, *, database: str = DATABASE, queue: str = QUEUE, container: str = CONTAINER) -> dict[str, str]:
        """Return the settings of this stack, as environment variables or `Values`."""
        return {
            "ServiceBusConnection": self.service_bus.connection_string,
            "ExportStorage": self.azurite.connection_string,
            **self.postgres.environ(database=database),
            "TAILRACE_QUEUE": queue,
            "TAILRACE_CONTAINER": container,
        }

    def unused_queue(self) -> str:
        """Return the name of an unused queue. Raises StopIteration after the last spare one."""
        return next(self._spare_queues)

    def close(self) -> None:
        """End all three. Their data is deleted unless they were started to last."""
        with ThreadPoolExecutor() as pool:
            servers = (self.service_bus, self.azurite, self.postgres)
            for closing in [pool.submit(server.close) for server in servers]:
                closing.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _close(starting: Future[Azurite] | Future[Broker] | Future[Postgres]) -> None:
    if starting.exception() is None:
        starting.result().close()
