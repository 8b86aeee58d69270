"""The embedded Service Bus broker as a child process, and the queues it is given."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from devstack.process import Launch, start

READY = re.compile(r"^Service Bus broker listening on 127\.0\.0\.1:(\d+)$")
# As deploy/ sets them in Azure, except for the lock: one minute here, so that a lost one comes back soon.
QUEUE_PROPERTIES: Mapping[str, object] = {
    "LockDuration": "PT1M",
    "MaxDeliveryCount": 10,
    "RequiresDuplicateDetection": True,
    "DuplicateDetectionHistoryTimeWindow": "P1D",
    "DeadLetteringOnMessageExpiration": True,
    "DefaultMessageTimeToLive": "P14D",
}


class Broker:
    """A running broker with the queues it was started with."""

    def __init__(self, directory: Path, config: Path, port: int) -> None:
        self._directory, self._config = directory, config
        self.process = start(
            [sys.executable, "-m", "emulators.service_bus", "--config", str(config), "--port", str(port)],
            ready=READY,
            cwd=Path(__file__).parents[1],
            launch=Launch(directory / "service-bus.log", name="Service Bus broker"),
        )
        assert self.process.match is not None
        self.port = int(self.process.match[1])

    @classmethod
    def start(
        cls, directory: Path, queues: Iterable[str], properties: Mapping[str, object] | None = None, port: int = 0
    ) -> Self:
        """Start a broker on `port`, a free one if that is 0. Its log is `directory/service-bus.log`.

        properties: on top of QUEUE_PROPERTIES, in the terms of the official emulator's Config.json.
        """
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "service-bus.json"
        config.write_text(json.dumps(emulator_config(queues, {**QUEUE_PROPERTIES, **(properties or {})}), indent=2))
        return cls(directory, config, port)

    @property
    def connection_string(self) -> str:
        """The connection string for the Service Bus SDKs."""
        address = f"Endpoint=sb://127.0.0.1:{self.port}"
        return f"{address};SharedAccessKeyName=local;SharedAccessKey=local;UseDevelopmentEmulator=true;"

    def close(self) -> None:
        """End it and drop all messages."""
        self.process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def emulator_config(queues: Iterable[str], properties: Mapping[str, object]) -> dict[str, object]:
    """Make a Config.json as of the official emulator, which the broker reads too.

    >>> config = emulator_config(["exports"], {"MaxDeliveryCount": 10})
    >>> config["UserConfig"]["Namespaces"][0]["Queues"]
    [{'Name': 'exports', 'Properties': {'MaxDeliveryCount': 10}}]
    """
    entities = [{"Name": name, "Properties": dict(properties)} for name in queues]
    namespace = {"Name": "sbemulatorns", "Queues": entities, "Topics": []}
    return {"UserConfig": {"Namespaces": [namespace], "Logging": {"Type": "Console"}}}
