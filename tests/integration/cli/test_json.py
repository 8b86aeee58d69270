"""docs/reference/json.md has every key that `--json` prints, and each of its states and problems."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from uuid import UUID

import psycopg
from azure.storage.blob import ContainerClient
from support.days import day
from support.dead_letters import Bus, message, request
from typer.testing import Result

from cli.running import _fields
from cli.verify import _KINDS
from devstack.process import Process
from operations.coverage import STATES
from operations.judge import Kind
from operations.running import Running

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "json.md"
type Tailrace = Callable[..., Result]


def documented() -> dict[str, set[str]]:
    """The keys of each command; rows without a command go on with that of the row before."""
    found: dict[str, set[str]] = {}
    command = ""
    for row in re.findall(r"^\|(.*)\|$", PAGE.read_text(), re.MULTILINE):
        first, _, keys = row.split("|")
        if "`" in keys:
            command = first.strip(" `") or command
            found.setdefault(command, set()).update(re.findall(r"`([^`]+)`", keys))
    return found


def test_every_command_with_json_is_documented() -> None:
    commands = re.split(r"^## tailrace ", (PAGE.parent / "cli.md").read_text(), flags=re.MULTILINE)[1:]
    with_json = {text.partition("\n")[0] for text in commands if re.search(r"^  --json ", text, re.MULTILINE)}
    assert {"status", "doctor"} < with_json == documented().keys() - {"dlq list --each", "restore --check"}


def test_the_states_of_windows_and_what_proofs_find_are_documented() -> None:
    keys = documented()
    assert keys["status"] > set(STATES)
    assert keys["audit"] > set(get_args(Kind.__value__))
    assert keys["verify"] > {kind.replace(" ", "_") for kind in _KINDS}


def test_the_keys_of_an_export_that_runs_are_documented() -> None:
    one = Running(UUID(int=0), "clicks", (7,), datetime.now(UTC), 1.0, 10, 100)
    assert set(_fields(one, None)) == documented()["running"]


def test_no_command_prints_a_key_that_is_not_documented(
    tailrace: Tailrace,
    starting: Callable[..., Process],
    admin: psycopg.Connection,
    bus: Bus,
    container: ContainerClient,
    tmp_path: Path,
) -> None:
    admin.execute("create table clicks (at timestamptz not null); grant select on clicks to exporter")
    admin.execute("insert into clicks values (now() - interval '2 days')")
    server = f"{admin.info.dsn} password={admin.info.password}"
    span = ("--from", day(4), "--to", day(1))
    keys, printed = documented(), set[str]()

    def check(*arguments: str) -> None:
        command = " ".join(
            word for word in arguments[:3] if word in {"list", "--each", "--check"} or word == arguments[0]
        )
        result = tailrace(*arguments, "--json")
        lines = result.stdout.splitlines()
        assert lines, (arguments, result.output)
        objects = [json.loads(result.stdout)] if command == "doctor" else [json.loads(line) for line in lines]
        assert {key for one in objects for key in one} <= keys[command], (arguments, objects)
        printed.add(command)

    check("backfill", "clicks", *span, "--dry-run")
    check("backfill", "clicks", *span)
    check("backfills")
    starting("work", "--until-empty", "--text-logs", ready=None).wait(60)
    bus.bury(message(request(day(6))))
    container.delete_blob(f"clicks/{day(4).replace('-', '/')}.csv.gz")
    for arguments in (
        ("status",), ("missing",), ("history", "clicks"), ("show", "clicks", day(3)), ("show", "clicks", day(6)),
        ("init", "--output", str(tmp_path / "new.toml")), ("doctor",), ("tick",),
        ("export", "clicks", "--window", day(4)),
        ("pause", "clicks"), ("pause", "--list"), ("resume", "clicks"), ("cancel", "clicks", "--dry-run"),
        ("dlq", "list"), ("dlq", "list", "--each"), ("audit", "clicks", *span, "--deep"), ("verify", "clicks", *span),
        ("restore", "clicks", *span, "--into", "public.again", "--create", "--server", server),
        ("restore", "--check", "clicks", *span, "--server", server),
    ):  # fmt: skip
        check(*arguments)
    assert printed == keys.keys() - {"running"}
