"""The container worker gives back messages that come too late."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from settings import Settings
from worker.assemble import open_worker
from worker.container import Consumer

NOWHERE = {
    "ServiceBusConnection": "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=n;SharedAccessKey=k;",
    "ExportStorage": "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a;",
    "PGHOST": "127.0.0.1",
    "PGPORT": "9",
    "PGDATABASE": "d",
    "PGUSER": "u",
    "PGPASSWORD": "p",
}


@dataclass
class Receiver:
    """Keeps what it was asked to give back."""

    abandoned: list[Any] = field(default_factory=list)

    def abandon_message(self, message: Any) -> None:
        self.abandoned.append(message)


@pytest.fixture
def consumer(tmp_path: Path) -> Iterator[Consumer]:
    jobs = tmp_path / "jobs.toml"
    jobs.write_text('[[job]]\nname = "a"\nschema = "s"\ntable = "t"\nblob = "x/{run}"\n')
    settings = Settings.from_env({**NOWHERE, "TAILRACE_JOBS": str(jobs)})
    with open_worker(settings) as worker:
        yield Consumer(settings, worker)


def test_a_message_that_comes_after_the_signal_to_stop_goes_back_at_once(consumer: Consumer) -> None:
    """Its export would be interrupted, and its lock would block other workers."""
    receiver: Any = Receiver()
    message: Any = object()
    consumer.stop()
    consumer._slots[0]._take(receiver, message)
    assert receiver.abandoned == [message]
