"""Records: small JSON blobs beside the exports."""

import pytest
from azure.storage.blob import ContainerClient

from connections.records import RecordChanged, Records
from contracts.errors import SinkRejected, TailraceError
from contracts.model import Model
from settings import Settings


class Note(Model):
    text: str


@pytest.fixture
def notes(environ: dict[str, str], container: ContainerClient) -> Records[Note]:
    assert container.exists()
    return Records(Settings.from_env(environ), "notes", Note)


def test_a_record_is_read_as_it_was_written(notes: Records[Note]) -> None:
    assert notes.get("a") is None
    notes.put("a", Note(text="one"))
    notes.put("a", Note(text="two"))
    notes.put("b/c", Note(text="three"))
    found = notes.get("a")
    assert found is not None
    assert found.value == Note(text="two")
    assert [(record.name, record.value.text) for record in notes.all()] == [("a", "two"), ("b/c", "three")]


def test_a_record_that_somebody_else_wrote_meanwhile_is_not_overwritten(notes: Records[Note]) -> None:
    notes.put("a", Note(text="one"))
    mine = notes.get("a")
    notes.put("a", Note(text="two"))
    with pytest.raises(RecordChanged):
        notes.put("a", Note(text="three"), over=mine)
    with pytest.raises(RecordChanged):
        notes.put("a", Note(text="three"), is_new=True)
    assert [record.value.text for record in notes.all()] == ["two"]


def test_a_record_is_removed_once(notes: Records[Note]) -> None:
    notes.put("a", Note(text="one"))
    assert notes.remove("a") is True
    assert notes.remove("a") is False
    assert notes.names() == []


def test_what_is_no_record_is_refused_by_its_name(notes: Records[Note], container: ContainerClient) -> None:
    container.upload_blob("_tailrace/notes/a.json", b'{"text": 7}')
    with pytest.raises(SinkRejected, match=r"'_tailrace/notes/a.json' is no record of this version: text: "):
        notes.get("a")


def test_a_container_that_is_not_there_is_not_an_empty_one(environ: dict[str, str]) -> None:
    notes = Records(Settings.from_env({**environ, "TAILRACE_CONTAINER": "nowhere"}), "notes", Note)
    for look in (lambda: notes.get("a"), notes.names, lambda: notes.put("a", Note(text="one"))):
        with pytest.raises(TailraceError, match="there is no such container"):
            look()
