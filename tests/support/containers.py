"""The same servers as the embedded stack's, from the vendors' container images, for `pytest --stack=containers`."""

import itertools
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import psycopg
from azure.servicebus import ServiceBusClient, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.storage.blob import BlobServiceClient
from testcontainers.community.azurite import AzuriteContainer
from testcontainers.community.mssql import SqlServerContainer
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import HttpWaitStrategy, LogMessageWaitStrategy

from devstack.broker import QUEUE_PROPERTIES, emulator_config
from devstack.postgres_address import ADMIN, DATABASE, EXPORTER, Address
from devstack.postgres_cluster import BOOTSTRAP
from devstack.stack import CONTAINER, QUEUE

POSTGRES = "postgres:18.6"
AZURITE = "mcr.microsoft.com/azure-storage/azurite:3.36.0"
SERVICE_BUS = "mcr.microsoft.com/azure-messaging/servicebus-emulator:2.0.0"
SQL_SERVER = "mcr.microsoft.com/mssql/server:2022-latest"
# The emulator takes 50 queues at most and refuses longer times than these.
SPARE_QUEUES = [f"spare-{number}" for number in range(1, 46)]
EMULATOR_PROPERTIES = {"DuplicateDetectionHistoryTimeWindow": "PT5M", "DefaultMessageTimeToLive": "PT1H"}


@dataclass(frozen=True)
class Connection:
    """The address of a server, as its SDK takes it."""

    connection_string: str = field(repr=False)


@dataclass
class ContainerStack:
    """The interface of devstack.stack.Stack that tests use."""

    postgres: Address
    azurite: Connection
    service_bus: Connection
    _queues: Iterator[str] = field(default_factory=lambda: itertools.cycle(SPARE_QUEUES))
    _used: set[str] = field(default_factory=set)

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Self]:
        """All servers, ready; a minute or two, most of it SQL Server's."""
        with postgres() as address, azurite() as blobs, service_bus() as queues:
            yield cls(address, blobs, queues)

    def environ(self, *, database: str = DATABASE, queue: str = QUEUE, container: str = CONTAINER) -> dict[str, str]:
        return {
            "ServiceBusConnection": self.service_bus.connection_string,
            "ExportStorage": self.azurite.connection_string,
            **self.postgres.environ(database=database),
            "TAILRACE_QUEUE": queue,
            "TAILRACE_CONTAINER": container,
        }

    def unused_queue(self) -> str:
        """An empty queue: a new one, or else the least recently used one, emptied."""
        name = next(self._queues)
        if name in self._used:
            self._empty(name)
        self._used.add(name)
        return name

    def _empty(self, name: str) -> None:
        mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
        with ServiceBusClient.from_connection_string(self.service_bus.connection_string) as client:
            for part in (None, ServiceBusSubQueue.DEAD_LETTER):
                with client.get_queue_receiver(name, sub_queue=part, receive_mode=mode) as receiver:
                    while receiver.receive_messages(max_message_count=100, max_wait_time=1):
                        pass


@contextmanager
def postgres() -> Iterator[Address]:
    passwords = {role: secrets.token_urlsafe(18) for role in (ADMIN, EXPORTER)}
    with PostgresContainer(POSTGRES, username=ADMIN, password=passwords[ADMIN], dbname="postgres") as container:
        address = Address(container.get_container_host_ip(), container.get_exposed_port(5432), passwords)
        with psycopg.connect(address.dsn(ADMIN, database="template1"), autocommit=True) as connection:
            for statement in (BOOTSTRAP % passwords[EXPORTER]).strip().split("\n"):
                connection.execute(statement)
        yield address


@contextmanager
def azurite() -> Iterator[Connection]:
    container = AzuriteContainer(AZURITE)
    container.with_command("azurite-blob --blobHost 0.0.0.0 --skipApiVersionCheck --disableTelemetry")
    container.waiting_for(LogMessageWaitStrategy("successfully listen"))
    with container:
        connection = Connection(container.get_connection_string())
        with BlobServiceClient.from_connection_string(connection.connection_string) as client:
            client.create_container(CONTAINER)
        yield connection


@contextmanager
def service_bus() -> Iterator[Connection]:
    password = f"Aa1!{secrets.token_urlsafe(18)}"  # SQL Server requires all kinds of characters
    with Network() as network:
        database = SqlServerContainer(SQL_SERVER, password=password)
        with database.with_network(network).with_network_aliases("mssql"), emulator(network, password) as container:
            address = f"Endpoint=sb://{container.get_container_host_ip()}:{container.get_exposed_port(5672)}"
            key = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE"
            yield Connection(f"{address};{key};UseDevelopmentEmulator=true;")


def emulator(network: Network, password: str) -> DockerContainer:
    config = emulator_config([QUEUE, *SPARE_QUEUES], {**QUEUE_PROPERTIES, **EMULATOR_PROPERTIES})
    return (
        DockerContainer(SERVICE_BUS)
        .with_network(network)
        .with_envs(ACCEPT_EULA="Y", SQL_SERVER="mssql", MSSQL_SA_PASSWORD=password)
        .with_copy_into_container(json.dumps(config).encode(), "/ServiceBus_Emulator/ConfigFiles/Config.json")
        .with_exposed_ports(5672, 5300)
        .waiting_for(HttpWaitStrategy(5300, "/health").with_startup_timeout(240))
    )
