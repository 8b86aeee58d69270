"""Pauses and cancels in a real container."""

from datetime import UTC, datetime

import pytest
from azure.storage.blob import ContainerClient
from pydantic import SecretStr

from connections.records import Records
from connections.steering import CANCELS, PAUSES, SteeringRecords
from contracts.errors import SinkRejected, SinkUnavailable
from contracts.steering import Cancel, Pause, Steering
from settings import Settings

NOW = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def settings(environ: dict[str, str]) -> Settings:
    return Settings.from_env(environ)


def test_a_pause_and_a_cancel_are_seen_by_the_next_look_and_a_recent_one_reads_nothing(settings: Settings) -> None:
    steering = SteeringRecords(settings)
    assert steering.recent().paused == frozenset()
    Records(settings, PAUSES, Pause).put("clicks", Pause(by="ann", at=NOW))
    Records(settings, CANCELS, Cancel).put("b-1", Cancel(by="ann", at=NOW, backfill="b-1"))
    assert steering.recent().paused == frozenset()
    assert steering.look().paused == {"clicks"}
    assert [cancel.backfill for cancel in steering.recent().cancels] == ["b-1"]


def test_what_is_removed_is_not_honoured_any_more(settings: Settings) -> None:
    steering, cancels = SteeringRecords(settings), Records(settings, CANCELS, Cancel)
    cancels.put("b-1", Cancel(by="ann", at=NOW, backfill="b-1"))
    assert len(steering.look().cancels) == 1
    cancels.remove("b-1")
    assert steering.look().cancels == ()


def test_a_container_that_cannot_be_listed_leaves_what_was_known(
    settings: Settings, container: ContainerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    Records(settings, PAUSES, Pause).put("clicks", Pause(by="ann", at=NOW))
    steering, other = SteeringRecords(settings), SteeringRecords(settings)
    steering.recent()
    monkeypatch.setattr("connections.steering._FRESH_SECONDS", 0.0)
    container.delete_container()
    assert steering.recent().paused == {"clicks"}
    assert other.recent() == Steering()
    with pytest.raises(SinkRejected, match="no such container"):
        other.look()
    container.create_container()


def test_an_account_that_is_away_is_no_reason_to_take_nothing_for_paused(settings: Settings) -> None:
    nowhere = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a;"
    steering = SteeringRecords(settings.model_copy(update={"storage_connection_string": SecretStr(nowhere)}))
    with pytest.raises(SinkUnavailable, match="listing of '_tailrace/cancels/' failed"):
        steering.recent()
