"""Of 1,000 changes to single rows an audit that reads them names 1,000 windows, and never another one."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from azure.storage.blob import ContainerClient

from operations.audit import Wanted
from operations.auditing import Auditing
from producer.ask import requests_between
from settings import Settings
from worker.assemble import open_exporter
from worker.cancellation import Cancellation
from worker.export import run_export

NOW = datetime(2026, 3, 20, tzinfo=UTC)
# 272 windows of 10 rows, of which 250 change in each round.
WINDOWS, CHANGED, ROUNDS, SIZE = 272, 250, 4, 10
JOBS = """
[[job]]
name = "ids"
schema = "public"
table = "events"
blob = "ids/{window_start:06d}SUFFIX"
[job.window]
column = "id"
type = "integer"
size = 10
[job.output]
OUTPUT
"""
# Each id has two rows, so that an UPDATE of one is not one of a window's only copy.
TABLE = """
    create table events (id bigint, word text, n numeric, at timestamptz, js jsonb);
    insert into events select i / 2, case i % 4 when 0 then null when 1 then '' else 'word ' || i end, i / 7.0,
        '2026-01-01Z'::timestamptz + i * interval '1 second', jsonb_build_object('i', i)
    from generate_series(0, 5439) as i;
    create table origin as select * from events"""
FIRST = "ctid = (select min(ctid) from events where id = {id})"
# One row of the window that begins at an id, or of two that change places.
CHANGES: dict[str, str] = {
    "insert": "insert into events values ({id}, 'more', 1, '2026-01-01Z', '{{}}')",
    "copy": f"insert into events select * from events where {FIRST}",
    "delete": f"delete from events where {FIRST}",
    "update": f"update events set n = n + 0.1 where {FIRST}",
    "microsecond": f"update events set at = at + interval '1 microsecond' where {FIRST}",
    "blank at the end": f"update events set word = 'word ' || id || ' ' where {FIRST}",
    "null against empty": f"update events set word = case when word is null then '' end where {FIRST}",
    "scale of a number": f"update events set n = n::numeric(30, 25) where {FIRST}",
    "case": f"""update events set js = '{{{{"I": 0}}}}' where {FIRST}""",
    "moved in its window": f"update events set id = id + 1 where {FIRST}",
    "line end": f"update events set word = coalesce(word, '') || E'\\r' where {FIRST}",
}
SWAP = "update events set id = case id when {a} then {b} else {a} end where id in ({a}, {b})"


@pytest.fixture(params=[(".csv.gz", ""), (".parquet", 'format = "parquet"')], ids=["csv", "parquet"])
def settings(
    environ: dict[str, str],
    container: ContainerClient,
    admin: psycopg.Connection,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Settings:
    assert container.exists()
    file = tmp_path / "jobs.toml"
    suffix, output = request.param
    file.write_text(JOBS.replace("SUFFIX", suffix).replace("OUTPUT", output))
    admin.execute(TABLE)
    found = Settings.from_env({**environ, "TAILRACE_JOBS": str(file)})
    with open_exporter(found) as exporter:
        for one in requests_between(exporter.jobs["ids"], "0", str(WINDOWS * SIZE), NOW):
            run_export(one, exporter, Cancellation())
    return found


@pytest.fixture
def differing(settings: Settings) -> Iterator[Callable[[], set[int]]]:
    """The starts of the windows that a deep audit names."""
    with Auditing.opened(settings) as auditing:

        def audited() -> set[int]:
            found = auditing.audit(auditing.jobs["ids"], Wanted("0", str(WINDOWS * SIZE), deep=True), NOW)
            assert len(found.findings) == WINDOWS
            return {int(one.window.start) for one in found.drift}

        yield audited


def plant(admin: psycopg.Connection, chance: random.Random) -> set[int]:
    """Changes one row of each of CHANGED windows by some change; returns the starts of the windows."""
    chosen = chance.sample(range(0, WINDOWS * SIZE, SIZE), CHANGED)
    swapped, single = chosen[:40], chosen[40:]
    for a, b in zip(swapped[::2], swapped[1::2], strict=True):
        admin.execute(SWAP.format(a=a, b=b).encode())
    kinds = list(CHANGES.values())
    for place, start in enumerate(single):
        admin.execute(kinds[place % len(kinds)].format(id=start).encode())
    return set(chosen)


@pytest.mark.timeout(240)
def test_a_thousand_changes_are_a_thousand_windows_and_no_other_is_named(
    admin: psycopg.Connection, differing: Callable[[], set[int]]
) -> None:
    chance, planted = random.Random(11), 0  # noqa: S311
    assert differing() == set()
    for _ in range(ROUNDS):
        changed = plant(admin, chance)
        # Rows that only moved are no change.
        admin.execute("update events set word = word where id % 3 = 0")
        assert differing() == changed
        planted += len(changed)
        admin.execute("truncate events; insert into events select * from origin order by random()")
        assert differing() == set()
    assert planted == 1000
