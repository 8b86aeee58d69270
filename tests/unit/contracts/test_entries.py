"""[defaults], and one entry for many tables."""

import tomllib

import pytest

from contracts.errors import ConfigurationError
from contracts.grid import IntegerGrid, TimeGrid
from contracts.jobs_file import Jobs, parse_jobs

DEFAULTS = """
[defaults]
schema = "events"
blob = "{schema}/{table}/{window_start:%Y/%m/%d}.csv.gz"
revision = 3
[defaults.window]
column = "created_at"
type = "timestamptz"
every = "1 day"
delay = "30 minutes"
[defaults.output]
level = 4
"""


def jobs_of(text: str) -> Jobs:
    return parse_jobs(tomllib.loads(text))


def problems_of(text: str) -> list[str]:
    try:
        return [problem for one in jobs_of(text).disabled for problem in one.problems]
    except ConfigurationError as error:
        return str(error).splitlines()


def test_one_entry_serves_many_tables_by_names_of_their_own() -> None:
    jobs = jobs_of(DEFAULTS + '[[job]]\ntables = ["clicks", "web.orders"]\n')
    assert {name: (job.schema_name, job.table) for name, job in jobs.items()} == {
        "events.clicks": ("events", "clicks"),
        "web.orders": ("web", "orders"),
    }
    assert jobs["web.orders"].blob_prefix == "web/orders/"
    assert {job.revision for job in jobs.values()} == {3}


def test_schema_and_table_stand_in_the_name_of_an_entry() -> None:
    jobs = jobs_of(DEFAULTS + '[[job]]\nname = "{table}-of-{schema}"\ntables = ["clicks", "web.orders"]\n')
    assert set(jobs) == {"clicks-of-events", "orders-of-web"}


def test_a_jobs_own_keys_count_more_than_the_defaults_also_within_window_and_output() -> None:
    own = (
        '[[job]]\nname = "a"\ntable = "a"\nrevision = 1\nwindow = { every = "1 month" }\noutput = { header = false }\n'
    )
    job = jobs_of(DEFAULTS + own)["a"]
    assert isinstance(job.window, TimeGrid)
    assert (job.window.column, job.window.every.unit, job.revision) == ("created_at", "month", 1)
    assert (job.output.level, job.output.header) == (4, False)


def test_a_window_or_output_of_another_kind_takes_nothing_of_the_default() -> None:
    numbers = '[[job]]\nname = "a"\ntable = "a"\nblob = "a/{window_start}"\n'
    numbers += 'window = { column = "id", type = "integer", size = 10 }\noutput = { format = "parquet" }\n'
    job = jobs_of(DEFAULTS + numbers)["a"]
    assert isinstance(job.window, IntegerGrid)
    assert job.output.level is None


def test_a_job_without_windows_and_a_query_say_so() -> None:
    whole = '[[job]]\nname = "a"\ntable = "a"\nblob = "a/{run}"\nwindow = false\n'
    query = '[[job]]\nname = "q"\nquery = "select 1"\nblob = "q/{window_start}"\n'
    jobs = jobs_of(DEFAULTS + whole + query)
    assert jobs["a"].window is None
    assert (jobs["q"].query, jobs["q"].schema_name) == ("select 1", None)
    assert jobs["q"].window is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[[job]]\ntables = "a"\n', "job number 1: tables: must be a list of names, such as"),
        ("[[job]]\ntables = []\n", "job number 1: tables: must be a list of names, such as"),
        ('[[job]]\nname = "n"\ntables = ["a", "b"]\n', "job 'n': name: several tables would have it; put {table}"),
        ('[[job]]\ntables = ["a"]\ntable = "b"\n', "job number 1: tables: table excludes it"),
        ('[[job]]\ntables = ["a", "a"]\n', "job 'events.a': name: two jobs have it"),
        ('[[job]]\ntables = ["a"]\nrevisoin = 1\n', "job 'events.a': revisoin: unknown key; did you mean revision?"),
        ('[[job]]\ntables = ["a b"]\n', "job 'events.a b': name: "),
        ('[[job]]\nname = "x"\ntable = "x"\nwindow = 5\n', "job 'x': window: "),
    ],
)
def test_what_is_wrong_with_an_entry_is_said_of_it(text: str, problem: str) -> None:
    assert problems_of(DEFAULTS + text)[0].startswith(f"jobs.toml: {problem}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("defaults = 5\n", "defaults: must be a table of keys and values"),
        ('[defaults]\nname = "a"\n', "defaults: name belongs into each [[job]]"),
        ('[defaults]\ntables = ["a"]\n', "defaults: tables belongs into each [[job]]"),
        ("[default]\n", "unknown key 'default'; jobs are written as [[job]]"),
    ],
)
def test_wrong_defaults_stop_the_file(text: str, problem: str) -> None:
    job = '[[job]]\nname = "a"\nschema = "s"\ntable = "a"\nblob = "a/{run}"\n'
    with pytest.raises(ConfigurationError):
        jobs_of(text + job)
    assert f"jobs.toml: {problem}" in problems_of(text + job)


def test_a_table_without_a_schema_says_how_to_name_one() -> None:
    said = problems_of('[[job]]\nblob = "{table}/{run}"\ntables = ["s.a", "b"]\n')
    assert said == [
        "jobs.toml: job number 1: tables: b has no schema; write it as schema.table, or give the job a schema"
    ]
