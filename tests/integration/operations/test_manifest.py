"""The manifest names what its receipt cannot: blobs that went, or were put back, with the receipt on them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient, ContainerClient

from contracts.errors import SinkRejected
from contracts.jobs_file import load_jobs
from contracts.receipt import Receipt
from operations.audit import Wanted
from operations.auditing import Auditing
from operations.blobs import Blobs
from operations.manifests import Manifests
from operations.verifying import JobVerification, JobVerified, Range
from producer.ask import requests_between
from settings import Settings
from worker.assemble import open_exporter
from worker.cancellation import Cancellation
from worker.export import run_export

NOW = datetime(2026, 3, 20, tzinfo=UTC)
JOBS = """
[[job]]
name = "ids"
schema = "public"
table = "events"
blob = "ids/{window_start:06d}.csv.gz"
[job.window]
column = "id"
type = "integer"
size = 10
"""


@pytest.fixture
def settings(
    environ: dict[str, str], container: ContainerClient, admin: psycopg.Connection, tmp_path: Path
) -> Settings:
    assert container.exists()
    file = tmp_path / "jobs.toml"
    file.write_text(JOBS)
    admin.execute("create table events as select i as id, 'word ' || i as word from generate_series(0, 44) as i")
    found = Settings.from_env({**environ, "TAILRACE_JOBS": str(file)})
    export(found)
    return found


def export(settings: Settings, replaces: str | None = None, until: str = "60") -> None:
    with open_exporter(settings) as exporter:
        for request in requests_between(exporter.jobs["ids"], "0", until, NOW):
            run_export(request.model_copy(update={"replaces": replaces}), exporter, Cancellation())


def audit(settings: Settings, now: datetime = NOW) -> None:
    with Auditing.opened(settings) as auditing:
        auditing.audit(auditing.jobs["ids"], Wanted("0", "60"), now)


def verified(settings: Settings, since: str | None = None, **how: str | None) -> JobVerified:
    job = load_jobs(settings.jobs)["ids"]
    return JobVerification(settings, Range(job, since, None), NOW).run(lambda _: None, quick=True, **how)


def broken(settings: Settings) -> dict[str, str]:
    return {one.subject: one.kind for one in verified(settings).broken}


@pytest.fixture
def blob(container: ContainerClient) -> BlobClient:
    return container.get_blob_client("ids/000020.csv.gz")


def put(blob: BlobClient, data: bytes, metadata: dict[str, str] | None = None) -> None:
    blob.upload_blob(data, metadata=metadata, overwrite=True)


def test_what_an_audit_lists_is_what_is_there(settings: Settings) -> None:
    audit(settings)
    found = verified(settings)
    assert (found.windows, found.intact, found.broken, found.listed) == (6, 6, (), 6)
    (record,) = Manifests(settings).chain("ids")
    rows = [(entry.start, entry.rows, entry.closed) for entry in record.value.entries]
    # The last one is proven empty.
    assert rows[3:] == [("30", 10, "writers"), ("40", 5, "writers"), ("50", 0, "writers")]
    audit(settings)
    assert [one.sha256 for one in Manifests(settings).chain("ids")] == [record.sha256]


def test_a_blob_that_went_with_its_receipt_is_named_even_if_it_was_the_oldest_or_all_did(
    settings: Settings, container: ContainerClient
) -> None:
    audit(settings)
    container.delete_blob("ids/000000.csv.gz")
    assert broken(settings) == {"ids/000000.csv.gz": "removed"}
    for name in list(container.list_blob_names(name_starts_with="ids/")):
        container.delete_blob(name)
    assert set(broken(settings).values()) == {"removed"}
    assert len(broken(settings)) == 6
    assert len(verified(settings, "30").broken) == 3


def test_a_blob_that_is_put_back_with_its_old_receipt_is_rolled_back(
    settings: Settings, blob: BlobClient, admin: psycopg.Connection
) -> None:
    old, metadata = blob.download_blob().readall(), blob.get_blob_properties().metadata
    audit(settings)
    admin.execute("update events set word = 'x' where id = 25")
    export(settings, Blobs(settings).find("ids/000020.csv.gz").etag)  # type: ignore[union-attr]
    assert broken(settings) == {}, "a newer export than the listed one is a newer export"
    audit(settings)
    put(blob, old, metadata)
    assert broken(settings) == {"ids/000020.csv.gz": "rolled back"}
    audit(settings)
    assert broken(settings) == {"ids/000020.csv.gz": "rolled back"}, "an audit does not bless it"


def test_an_edited_or_exchanged_blob_is_named_although_its_receipt_fits(
    settings: Settings, blob: BlobClient, container: ContainerClient
) -> None:
    audit(settings)
    other = container.get_blob_client("ids/000010.csv.gz")
    data, metadata = other.download_blob().readall(), other.get_blob_properties().metadata
    own = blob.get_blob_properties().metadata
    receipt = Receipt.from_metadata(own)
    assert receipt is not None
    swapped = {key: metadata[key] for key in ("parts", "row_hash", "csv_bytes", "blob_bytes", "rows")}
    put(blob, data, {**own, **swapped})
    (found,) = verified(settings).broken
    assert (found.subject, found.kind) == ("ids/000020.csv.gz", "edited")
    assert "its receipt differs in parts" in found.says
    put(blob, data)
    assert broken(settings) == {"ids/000020.csv.gz": "exchanged"}


def test_each_file_links_to_the_one_before_and_a_change_to_any_but_the_last_shows(
    settings: Settings, container: ContainerClient, admin: psycopg.Connection
) -> None:
    audit(settings)
    first = verified(settings).head
    for month in (4, 5):
        admin.execute("update events set word = word || '!'")
        for name in list(container.list_blob_names(name_starts_with="ids/")):
            container.delete_blob(name)
        export(settings)
        audit(settings, NOW.replace(month=month))
    chain = Manifests(settings).chain("ids")
    assert [one.name for one in chain] == ["ids/2026-03", "ids/2026-04", "ids/2026-05"]
    assert [one.value.previous for one in chain] == [None, chain[0].sha256, chain[1].sha256]
    assert broken(settings) == {}
    edited = container.get_blob_client("_tailrace/manifests/ids/2026-03.json")
    text = edited.download_blob().readall()
    document = json.loads(text)
    document["entries"][0]["rows"] = 9
    put(edited, json.dumps(document, indent=1).encode())
    assert broken(settings) == {"ids/2026-04": "manifest"}
    edited.delete_blob()
    assert broken(settings) == {"ids/2026-04": "manifest"}
    assert verified(settings, "30").broken == (), "who asks for newer windows needs no older files"
    put(edited, text)
    container.delete_blob("_tailrace/manifests/ids/2026-05.json")
    assert verified(settings, head=first).broken == (), "who noted no later head cannot know what was removed"
    assert {one.kind for one in verified(settings, head=chain[2].sha256).broken} == {"manifest"}


def test_a_head_that_was_noted_in_the_middle_of_a_month_is_known_again(settings: Settings) -> None:
    with Auditing.opened(settings) as auditing:
        auditing.audit(auditing.jobs["ids"], Wanted("0", "30"), NOW)
    noted = verified(settings).head
    audit(settings)
    assert verified(settings).head != noted
    assert verified(settings, head=noted).broken == ()
    (found,) = verified(settings, head="0" * 64).broken
    assert found.kind == "manifest"


def test_an_audit_that_may_not_write_says_so_and_goes_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise SinkRejected("write was refused", reason="AuthorizationPermissionMismatch")

    monkeypatch.setattr("connections.records.Records.put", refused)
    with Auditing.opened(settings) as auditing:
        found = auditing.audit(auditing.jobs["ids"], Wanted("0", "60"), NOW)
    assert found.unwritten == "write was refused"
    assert len(found.findings) == 6


def test_under_an_immutability_policy_each_addition_is_a_file_of_its_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = BlobClient.upload_blob

    def upload(self: BlobClient, data: bytes, *, overwrite: bool = False, **options: object) -> object:
        # Azurite has no policies: as Azure answers where one forbids to overwrite.
        if overwrite and self.exists():
            error = HttpResponseError("immutable")
            error.error_code = "BlobImmutableDueToPolicy"  # type: ignore[attr-defined]
            raise error
        return original(self, data, overwrite=overwrite, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(BlobClient, "upload_blob", upload)
    for until in ("30", "60"):
        with Auditing.opened(settings) as auditing:
            auditing.audit(auditing.jobs["ids"], Wanted("0", until), NOW)
    assert [one.name for one in Manifests(settings).chain("ids")] == ["ids/2026-03", "ids/2026-03.002"]
    assert (verified(settings).broken, verified(settings).listed) == ((), 6)
