"""The options of a Parquet job change its file as they say, and every reader finds the same rows in it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import psycopg
import pyarrow.parquet as pq
import pytest
from azure.storage.blob import ContainerClient
from support.exports import Exports
from support.parquet.claims import check_file

from contracts.errors import SinkRejected, SourceRejected
from contracts.jobs_file import parse_jobs
from producer.ask import one_request
from worker.blob import buffers
from worker.cancellation import Cancellation
from worker.export import run_export
from worker.formats.parquet import writer

# 40,000 rows in three row groups. `id` and `visitor` occur once, `kind` and `tags` repeat.
ROWS = 40_000
TABLE = f"""create table visits as select i as id, md5(i::text)::uuid as visitor, 'kind ' || i % 5 as kind,
    array['tag ' || i % 3, 'all'] as tags, i % 2 = 0 as even, repeat(md5(i::text), 16) as filler
    from generate_series(1, {ROWS}) as i"""
ALL = {"id", "visitor", "kind", "tags", "even", "filler"}

type Export = Callable[..., Path]


@pytest.fixture
def export(exports: Exports, admin: psycopg.Connection, container: ContainerClient, tmp_path: Path) -> Export:
    """Exports the table with these options, and returns the file."""
    admin.execute(TABLE.encode())

    def run(**options: Any) -> Path:
        name = f"{len(list(tmp_path.iterdir()))}.parquet"
        job: dict[str, Any] = {"name": "j", "schema": "public", "table": "visits", "blob": f"{{run}}/{name}"}
        job["output"] = {"format": "parquet", **options}
        request = one_request(parse_jobs({"job": [job]})["j"], None, datetime(2026, 6, 1, tzinfo=UTC))
        run_export(request, exports.worker.exporter, Cancellation())
        file = tmp_path / name
        file.write_bytes(container.download_blob(request.blob).readall())
        return file

    return run


def columns_with(file: Path, has: Callable[[Any], bool]) -> set[str]:
    """The columns of which that is true in every row group; in none of them it is true of another."""
    metadata, groups = pq.read_metadata(file), []
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        columns = map(group.column, range(group.num_columns))
        groups.append({column.path_in_schema.partition(".")[0] for column in columns if has(column)})
    assert len(groups) == 3
    assert all(group == groups[0] for group in groups)
    return groups[0]


def has_dictionary(column: Any) -> bool:
    return "RLE_DICTIONARY" in column.encodings


def has_statistics(column: Any) -> bool:
    return bool(column.is_stats_set and column.statistics.has_min_max)


def has_filter(column: Any) -> bool:
    return column.bloom_filter_offset is not None and column.bloom_filter_length > 0


def rows_of(file: Path) -> list[tuple[Any, ...]]:
    """The rows as DuckDB reads them, which must be those that Arrow reads."""
    found = duckdb.sql(f"select * from read_parquet('{file}') order by id").fetchall()
    table = pq.read_table(file).sort_by("id")
    assert found == list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return found


@pytest.mark.parametrize(
    ("option", "expected"),
    [(True, ALL - {"even"}), (False, set()), (["id", "kind"], {"id", "kind"}), (["tags"], {"tags"})],
    ids=["all", "none", "two", "list"],
)
def test_dictionary_says_which_columns_have_one(export: Export, option: Any, expected: set[str]) -> None:
    file = export(dictionary=option)
    check_file(file.read_bytes())
    assert columns_with(file, has_dictionary) == expected
    assert rows_of(file) == rows_of(export())


@pytest.mark.parametrize(
    ("option", "expected"),
    [(True, ALL), (False, set()), (["id", "filler"], {"id", "filler"}), (["tags"], {"tags"})],
    ids=["all", "none", "two", "list"],
)
def test_statistics_says_which_columns_have_them(export: Export, option: Any, expected: set[str]) -> None:
    file = export(statistics=option)
    assert columns_with(file, has_statistics) == expected
    assert len(rows_of(file)) == ROWS


def test_statistics_without_dictionaries_are_those_of_numbers_ids_and_repeated_texts(export: Export) -> None:
    file = export(dictionary=False)
    assert columns_with(file, has_statistics) == ALL - {"filler"}


def test_a_point_lookup_by_a_bloom_filter_finds_its_row_and_skips_the_other_row_groups(
    export: Export, admin: psycopg.Connection
) -> None:
    file = export(bloom_filters=["id", "visitor", "filler", "tags"])
    assert columns_with(file, has_filter) == {"id", "visitor", "filler", "tags"}
    for number in (1, 777, ROWS):
        row = admin.execute("select * from visits where id = %s", [number]).fetchone()
        assert row is not None
        for name, value in (("id", number), ("visitor", str(row[1])), ("filler", row[5])):
            found = duckdb.execute(f"select * from read_parquet('{file}') where {name} = ?", [value]).fetchall()
            assert found == [row], name
    for name, there, absent in (
        ("filler", md5s(admin, range(100, 120)), md5s(admin, range(ROWS + 1, ROWS + 51))),
        ("id", range(100, 120), range(ROWS + 1, ROWS + 51)),
    ):
        assert all(sum(not one for one in excluded(file, name, value)) >= 1 for value in there)
        skipped = [one for value in absent for one in excluded(file, name, value)]
        assert sum(skipped) >= 0.95 * len(skipped)


def test_a_large_first_row_leaves_the_bloom_filters_of_the_others_large_enough(
    export: Export, admin: psycopg.Connection
) -> None:
    admin.execute("truncate visits")
    admin.execute("insert into visits (id, filler) values (0, repeat('x', 20000000))")
    admin.execute(TABLE.replace("create table visits as", "insert into visits").encode())
    file = export(bloom_filters=["id"])
    assert group_rows(file)[0] == 1
    skipped = [one for value in range(ROWS + 1, ROWS + 51) for one in excluded(file, "id", value)]
    assert sum(skipped) >= 0.95 * len(skipped)


def md5s(admin: psycopg.Connection, numbers: range) -> list[str]:
    return [value for n in numbers for (value,) in admin.execute("select repeat(md5(%s::text), 16)", [n]).fetchall()]


def excluded(file: Path, column: str, value: Any) -> list[bool]:
    """Whether DuckDB skips each row group for this value, going by the bloom filter alone."""
    literal = f"'{value}'" if isinstance(value, str) else f"{value}::int"
    sql = f"select bloom_filter_excludes from parquet_bloom_probe('{file}', '{column}', {literal})"
    return [one for (one,) in duckdb.sql(sql).fetchall()]


def test_a_lower_probability_takes_a_larger_filter(export: Export) -> None:
    few, many = export(bloom_filters={"visitor": 0.0001}), export(bloom_filters={"visitor": 0.5})
    assert columns_with(few, has_filter) == columns_with(many, has_filter) == {"visitor"}
    column = [pq.read_metadata(file).row_group(0).column(1) for file in (few, many)]
    assert column[0].bloom_filter_length > 4 * column[1].bloom_filter_length
    visitor = pq.read_table(few, columns=["visitor"])["visitor"][0].as_py()
    assert isinstance(visitor, UUID)
    for file in (few, many):
        assert duckdb.execute(
            f"select count(*) from read_parquet('{file}') where visitor = ?", [str(visitor)]
        ).fetchone() == (1,)


@pytest.mark.parametrize("key", ["dictionary", "statistics", "bloom_filters"])
def test_a_column_that_is_not_there_is_refused_and_nothing_is_written(
    export: Export, exports: Exports, key: str
) -> None:
    with pytest.raises(SourceRejected) as refused:
        export(**{key: ["id", "colour"]})
    assert refused.value.reason == "ColumnMissing"
    assert refused.value.explained == (
        f"export of public.visits was refused: output.{key} names the column 'colour', which is not there;"
        f" correct output.{key} in jobs.toml; the columns are id, visitor, kind, tags, even, filler"
    )
    assert exports.names() == []


def test_a_bloom_filter_of_booleans_is_refused(export: Export, exports: Exports) -> None:
    with pytest.raises(SourceRejected, match="a boolean has no bloom filter") as refused:
        export(bloom_filters=["even"])
    assert refused.value.reason == "NotSupported"
    assert exports.names() == []


def test_filters_that_outgrow_their_memory_stop_the_export(
    export: Export, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "FILTERS_BYTES", 40_000)
    with pytest.raises(SinkRejected, match="bloom filters take more than") as stopped:
        export(bloom_filters=["visitor"])
    assert stopped.value.reason == "BlobTooLarge"
    assert exports.names() == []


def test_row_groups_of_a_long_file_are_larger_unless_bloom_filters_are_made_for_their_size(
    export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The descriptions of six columns count for three times what makes the next row group twice as large."""
    before, equal = export(), export(bloom_filters=["id"])
    monkeypatch.setattr(buffers, "ENTRY_BYTES", buffers.GROUP_BYTES)
    growing, with_filters = export(), export(bloom_filters=["id"])
    first, second, third = group_rows(before)
    assert group_rows(growing) == [first, second + third]
    assert group_rows(equal) == group_rows(with_filters) == [first, second, third]
    assert rows_of(growing) == rows_of(before)


def group_rows(file: Path) -> list[int]:
    metadata = pq.read_metadata(file)
    return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
