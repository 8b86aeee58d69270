"""The function app in the real worker library: the timer, HTTP, and a host that cannot dead-letter."""

import json
import re
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from support.asking import ask
from support.bus import Bus
from support.hosts import Blobs, Hosts
from support.waiting import until


def answer(url: str, body: object = None) -> tuple[int, dict[str, str]]:
    """Status and JSON of a POST."""
    data = json.dumps(body).encode() if body is not None else b""
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            text = response.read()
            return response.status, json.loads(text or b"{}")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_the_timer_puts_what_is_due_on_the_queue_and_the_queue_trigger_exports_it(
    hosts: Hosts, bus: Bus, blobs: Blobs, admin: psycopg.Connection
) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    admin.execute("create table clicks (id bigint generated always as identity, at timestamptz)")
    admin.execute(
        "insert into clicks (at) select %s::timestamptz - interval '3 days' + n * interval '1 hour'"
        " from generate_series(0, 100) as n",
        [today],
    )
    host = hosts.functions("--only", "schedule_exports,export,submit")
    assert host.match is not None
    url = host.match[1]
    assert answer(f"{url}/admin/functions/schedule_exports", {"input": ""})[0] == 202
    names = [f"clicks/{today - timedelta(days=back):%Y/%m/%d}.csv.gz" for back in (3, 2, 1)]
    until(lambda: blobs.names() == names, "three days' blobs")
    ((reason, description),) = bus.wait_for_dead_letters().values()
    bus.wait_until_empty()
    assert reason == "TableMissing"
    assert 'relation "public.missing" does not exist' in description
    assert bus.dead_letters()[0].delivery_count == 0
    for number, name in enumerate(names):
        receipt = blobs.receipt(name)
        assert (receipt.job, receipt.rows, blobs.rows(name)) == ("clicks", 24, 24)
        window = receipt.window
        assert window is not None
        assert window.start == today - timedelta(days=3 - number)
        assert window.end == receipt.run == today - timedelta(days=2 - number)

    assert answer(f"{url}/admin/functions/schedule_exports", {"input": ""})[0] == 202
    host.wait_for(re.compile("enqueued asked=4 present=3 sent=0 alive=0 dead=1"))
    status, refusal = answer(f"{url}/api/exports", {"job": "none"})
    assert (status, refusal["error"]) == (400, "there is no job 'none' in jobs.toml")
    day = f"{today - timedelta(days=9):%Y-%m-%d}"
    status, request = answer(f"{url}/api/exports", {"job": "clicks", "window_start": day})
    assert status == 202
    until(lambda: request["blob"] in blobs.names(), "the day that was asked for")
    assert blobs.receipt(request["blob"]).rows == 0
    assert str(blobs.receipt(request["blob"]).request_id) == request["request_id"]


def test_the_audit_timer_names_what_differs_and_an_app_without_its_setting_has_none(
    hosts: Hosts, blobs: Blobs, admin: psycopg.Connection, container: ContainerClient
) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    admin.execute("create table clicks (id bigint generated always as identity, at timestamptz)")
    admin.execute("insert into clicks (at) values (%s)", [today - timedelta(days=2, hours=1)])
    without = hosts.functions("--only", "schedule_exports,export")
    with_timer = hosts.functions("--only", "audit_exports", TAILRACE_AUDIT="0 0 0 1 1 *")
    assert without.match is not None
    assert with_timer.match is not None
    assert answer(f"{without.match[1]}/admin/functions/schedule_exports", {"input": ""})[0] == 202
    until(lambda: len(blobs.names()) == 3, "three days' blobs")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{without.match[1]}/admin/functions/audit_exports", data=b"{}", timeout=30)  # noqa: S310
    admin.execute("update clicks set at = at + interval '1 second'")
    assert answer(f"{with_timer.match[1]}/admin/functions/audit_exports", {"input": ""})[0] == 202
    with_timer.wait_for(re.compile(f"drift job=clicks window={today - timedelta(days=3):%Y-%m-%d}.* kind=changed"))
    until(lambda: "_tailrace/audits/clicks.json" in set(container.list_blob_names()), "the audit's record")


def test_the_drill_timer_proves_windows_restorable_and_names_what_is_not(
    hosts: Hosts, blobs: Blobs, admin: psycopg.Connection, container: ContainerClient
) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    admin.execute("create table clicks (id bigint generated always as identity, at timestamptz)")
    admin.execute("insert into clicks (at) values (%s)", [today - timedelta(hours=1)])
    without = hosts.functions("--only", "schedule_exports,export")
    server = f"{admin.info.dsn} password={admin.info.password}"
    timer = hosts.functions("--only", "drill_exports", TAILRACE_DRILL="0 0 0 1 1 *", TAILRACE_DRILL_SERVER=server)
    assert without.match is not None
    assert timer.match is not None
    assert answer(f"{without.match[1]}/admin/functions/schedule_exports", {"input": ""})[0] == 202
    until(lambda: len(blobs.names()) == 3, "three days' blobs")
    assert answer(f"{timer.match[1]}/admin/functions/drill_exports", {"input": ""})[0] == 202
    timer.wait_for(re.compile("drilled job=clicks windows=3 failed=0"))
    until(lambda: "_tailrace/drills/clicks.json" in set(container.list_blob_names()), "the drill's record")
    newest = container.get_blob_client(f"clicks/{today - timedelta(days=1):%Y/%m/%d}.csv.gz")
    newest.upload_blob(b"x" * 50, metadata=newest.get_blob_properties().metadata, overwrite=True)
    assert answer(f"{timer.match[1]}/admin/functions/drill_exports", {"input": ""})[0] == 202
    timer.wait_for(re.compile(f"not restorable job=clicks blob={newest.blob_name} says=.*is damaged"))


def test_on_a_host_without_settlement_the_delivery_count_ends_failing_requests(
    hosts: Hosts, bus: Bus, blobs: Blobs, admin: psycopg.Connection
) -> None:
    admin.execute("create table small as select 1 as id")
    missing, good = ask("missing"), ask("small", blob="small")
    bus.send(missing, good)
    host = hosts.functions("--only", "export", "--no-settlement")
    ((reason, _),) = bus.wait_for_dead_letters().values()
    bus.wait_until_empty()
    assert reason == "MaxDeliveryCountExceeded"
    assert [letter.message_id for letter in bus.dead_letters()] == [str(missing.request_id)]
    assert blobs.names() == ["small"]
    assert "TableMissing: export of public.missing was refused" in host.output()
    assert "could not be dead-lettered at once" in host.output()


def test_an_app_with_wrong_settings_takes_no_message_and_names_what_to_fix(hosts: Hosts, bus: Bus) -> None:
    bus.send(ask("small"))
    with pytest.raises(RuntimeError) as raised:
        hosts.functions(PGHOST="", TAILRACE_MAX_ATTEMPTS="many")
    assert "PGHOST is missing" in str(raised.value)
    assert "TAILRACE_MAX_ATTEMPTS: it should be a valid integer" in str(raised.value)
    (message,) = bus.messages()
    assert message.delivery_count == 0
