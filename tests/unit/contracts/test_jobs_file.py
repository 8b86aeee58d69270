"""What jobs.toml may hold; each problem is one line with file, job and field."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.errors import ConfigurationError
from contracts.grid import TimeGrid
from contracts.jobs_file import load_jobs
from contracts.request import QuerySource, TableSource
from producer.schedule import due_requests

TABLE = """
[[job]]
name = "clicks"
schema = "events"
table = "clicks"
blob = "{job}/{window_start:%Y/%m/%d}.csv.gz"
"""
DAILY = """
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"
"""
PLAIN = 'schema = "s"\ntable = "t"\n'


def problem_of(tmp_path: Path, text: str) -> str:
    file = tmp_path / "jobs.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_jobs(file)
    return str(caught.value).replace(str(file), "FILE")


def disabled_of(tmp_path: Path, text: str) -> dict[str | None, list[str]]:
    """What is said of the jobs that are disabled; at least one is not."""
    file = tmp_path / "jobs.toml"
    file.write_text(text)
    jobs = load_jobs(file)
    assert jobs
    return {one.name: [problem.replace(str(file), "FILE") for problem in one.problems] for one in jobs.disabled}


def job(lines: str, *, name: str = "a", window: str = "") -> str:
    return f'[[job]]\nname = "{name}"\n{lines}\n{window}'


def test_a_job_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    file.write_text(TABLE + 'columns = ["id", "at"]\n' + DAILY + 'delay = "90 minutes"\n')
    read = load_jobs(file)["clicks"]
    assert read.source == TableSource(schema_name="events", table="clicks", columns=("id", "at"))
    assert isinstance(read.window, TimeGrid)
    assert (read.window.every.count, read.window.every.unit) == (1, "day")
    assert read.window.delay == timedelta(minutes=90)
    assert read.is_scheduled


def test_a_query_stays_behind_and_only_its_name_goes_into_requests(tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    file.write_text(job('query = "select 1 ;"\nblob = "{job}/{run}"'))
    assert load_jobs(file)["a"].source == QuerySource(name="a")


def test_a_missing_file_is_named_with_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml: no such file$") as caught:
        load_jobs(tmp_path / "none.toml")
    assert caught.value.advice == "set TAILRACE_JOBS to your jobs.toml"


def test_a_folder_or_foreign_bytes_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a folder"):
        load_jobs(tmp_path)
    (tmp_path / "latin1.toml").write_bytes('name = "é"'.encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"latin1\.toml: is no UTF-8 text"):
        load_jobs(tmp_path / "latin1.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "FILE: no [[job]] in it"),
        ("job = 3", "FILE: no [[job]] in it"),
        ("[job]\nname = 'a'", "FILE: no [[job]] in it"),
        ("[[jobs]]\nname = 'a'", "FILE: unknown key 'jobs'; jobs are written as [[job]]\nFILE: no [[job]] in it"),
        ("job = [3]", "FILE: job number 1: must be an object of keys and values"),
        ("[[job]\n", "FILE: no valid TOML: Expected ']]' at the end of an array declaration (at line 1, column 6)"),
    ],
)
def test_what_is_no_list_of_jobs_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    assert problem_of(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('blob = "x/{run}"', "schema: missing; a job needs schema and table, or query"),
        ('schema = "s"\nblob = "x/{run}"', "table: missing; a job needs schema and table, or query"),
        (PLAIN, "blob: missing"),
        (
            PLAIN + 'blob = "_tailrace/{run}.csv.gz"\n',
            "blob: names that begin with _tailrace/ are for Tailrace's own records",
        ),
        (PLAIN + 'blob = "x/{run}"\nbolb = 1', "bolb: unknown key"),
        (PLAIN + 'blob = "x/{run}"\n[job.output]\nlevel = 99', "output.level: it should be less than or equal to"),
        (PLAIN + 'blob = "x/{run}"\n[job.output]\nquote = "x"', "output.quote: unknown key"),
        (
            PLAIN + 'blob = "x/{run}"\ncolumns = ["a"]\n[job.output]\nformat = "parquet"\nbloom_filters = ["a", "b"]',
            "output.bloom_filters: column 'b' is not among columns",
        ),
        (PLAIN + 'blob = "x/{run}"\ncolumns = []', "columns: Tuple should have at least 1 item"),
        (PLAIN + 'blob = "x/{run}"\ncolumns = ["a", ""]', "columns[1]: an identifier has 1 to 63 bytes of UTF-8"),
        (PLAIN + 'blob = "x/{run}"\nif_exists = "append"', "if_exists: it should be 'refuse' or 'replace'"),
        (PLAIN + 'blob = "x/{run}"\nrevision = 0', "revision: it should be greater than or equal to 1"),
        (PLAIN + 'blob = "x/{run}"\nquery = "select 1"', "query: schema excludes it, a job exports a query or a table"),
        ('query = "  ; "\nblob = "x/{run}"', "query: it is empty"),
        ('query = "select 1; drop table x"\nblob = "x/{run}"', "query: it must be a single statement"),
        ('query = "select {window_start}"\nblob = "x/{run}"', "query: {window_start} and {window_end} need"),
        (f'schema = "s"\ntable = "{"x" * 64}"\nblob = "x/{{run}}"', "table: an identifier has 1 to 63 bytes"),
        (f'schema = "{"é" * 32}"\ntable = "t"\nblob = "x/{{run}}"', "schema: an identifier has 1 to 63 bytes"),
        (
            'schema = "s"\ntable = "a\\u0000b"\nblob = "x/{run}"',
            "table: an identifier cannot contain the character NUL",
        ),
    ],
)
def test_a_job_that_cannot_be_used_names_file_job_and_field(tmp_path: Path, lines: str, expected: str) -> None:
    assert problem_of(tmp_path, job(lines)).startswith(f"FILE: job 'a': {expected}")


@pytest.mark.parametrize("written", ['"no"', '"true"', "1", "0.0"])
@pytest.mark.parametrize("line", ["enabled", "[job.output]\nheader", "[job.output]\nverify"])
def test_a_text_or_a_number_is_no_boolean(tmp_path: Path, line: str, written: str) -> None:
    problem = problem_of(tmp_path, job(f'{PLAIN}blob = "x/{{run}}"\n{line} = {written}'))
    field = line.replace("[job.output]\n", "output.")
    assert problem == f"FILE: job 'a': {field}: write true or false, without quotes"


@pytest.mark.parametrize("written", ['"3"', "true"])
@pytest.mark.parametrize(
    "line",
    ["revision", "streams", "parts", "[job.output]\nlevel", '[job.window]\ncolumn = "i"\ntype = "integer"\nsize'],
)
def test_a_text_or_a_boolean_is_no_whole_number(tmp_path: Path, line: str, written: str) -> None:
    bound = "window_start" if "window" in line else "run"
    problem = problem_of(tmp_path, job(f'{PLAIN}blob = "x/{{{bound}}}"\n{line} = {written}'))
    key = line.splitlines()[-1]
    assert re.fullmatch(rf"FILE: job 'a': (\w+\.)?{key}: write a whole number, without quotes", problem)


def test_a_default_that_is_no_boolean_is_refused_in_each_job(tmp_path: Path) -> None:
    text = f'[defaults.output]\nverify = "no"\n{job(PLAIN + 'blob = "x/{run}"')}'
    assert problem_of(tmp_path, text) == "FILE: job 'a': output.verify: write true or false, without quotes"


@pytest.mark.parametrize("name", ["", "../x", "a b", "é", "-a", "x" * 64, "a\\n"])
def test_a_job_name_that_no_blob_or_message_could_carry_is_refused(tmp_path: Path, name: str) -> None:
    problem = problem_of(tmp_path, job(PLAIN + 'blob = "x/{run}"', name=name))
    assert "name: it has 1 to 63 letters" in problem


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ('type = "date"\nevery = "1 day"', "window.column: missing"),
        ('column = "at"\nevery = "1 day"', "window.type: missing"),
        ('column = "at"\ntype = "float"\nevery = "1 day"', "window.type: must be one of 'timestamptz', 'timestamp'"),
        ('column = "at"\ntype = "date"', "window.every: missing"),
        ('column = "at"\ntype = "date"\nevery = "daily"', "window.every: 'daily' is no window length"),
        ('column = "at"\ntype = "date"\nevery = 86400', "window.every: 86400 is no window length"),
        ('column = "at"\ntype = "date"\nevery = "0 days"', "window.every.count: it should be greater than"),
        ('column = "at"\ntype = "date"\nevery = "6 hours"', "window: a date column has no hours or minutes"),
        ('column = "at"\ntype = "timestamp"\nevery = "7 minutes"', "window.every: 7 minutes do not divide a day"),
        ('column = "at"\ntype = "timestamp"\nevery = "30 seconds"', "window.every: '30 seconds' is no window length"),
        ('column = "at"\ntype = "date"\nevery = "5 months"', "window.every: 5 months do not divide a year"),
        ('column = "at"\ntype = "date"\nevery = "999999 days"', "window.every: at most 366 days are possible"),
        ('column = "at"\ntype = "date"\nevery = "99 weeks"', "window.every: at most 53 weeks are possible"),
        ('column = "at"\ntype = "date"\nevery = "1 day"\ndelay = 15', "window.delay: 15 is no length of time"),
        ('column = "at"\ntype = "date"\nevery = "1 day"\ndelay = "1 month"', "window.delay: '1 month' is no length"),
        ('column = "at"\ntype = "date"\nevery = "1 day"\ndelay = "-1 days"', "window.delay: '-1 days' is no length"),
        ('column = "at"\ntype = "date"\nevery = "1 day"\ncatch_up = "9999 days"', "window.catch_up: at most 3660 days"),
        ('column = "at"\ntype = "timestamp"\nevery = "1 minute"\ncatch_up = "60 days"', "window: catch_up: there are"),
        ('column = "at"\ntype = "date"\nevery = "1 day"\ntimezone = "Mars"', "window.timezone: 'Mars' is no time zone"),
        ('column = "at"\ntype = "date"\nevery = "1 day"\ntimezone = "../UTC"', "window.timezone: '../UTC' is no time"),
        ('column = "at"\ntype = "date"\nevery = "1 day"\ntimezone = "Europe"', "window.timezone: 'Europe' is no time"),
        ('column = "at"\ntype = "timestamptz"\nevery = "1 hour"\ntimezone = "Europe/Berlin"', "window: windows of"),
        (
            'column = "at"\ntype = "date"\nevery = "1 day"\nstart = "soon"',
            "window.start: write a day, such as 2026-01-31",
        ),
        ('column = "id"\ntype = "integer"\nsize = 0', "window.size: it should be greater than or equal to 1"),
        ('column = "id"\ntype = "integer"\nsize = 5\nevery = "1 day"', "window.every: unknown key"),
    ],
)
def test_impossible_windows_are_refused(tmp_path: Path, window: str, expected: str) -> None:
    lines = PLAIN + 'blob = "x/{window_start}"'
    problem = problem_of(tmp_path, job(lines, window=f"[job.window]\n{window}"))
    assert problem.startswith(f"FILE: job 'a': {expected}")


def test_numbers_are_closed_by_no_clock_so_they_take_no_schedule(tmp_path: Path) -> None:
    window = '[job.window]\ncolumn = "id"\ntype = "integer"\nsize = 10'
    lines = PLAIN + 'blob = "x/{window_start}"\nschedule = "0 0 0 * * *"'
    assert problem_of(tmp_path, job(lines, window=window)).startswith("FILE: job 'a': schedule: a window of whole")


def test_every_problem_of_the_file_is_reported_at_once(tmp_path: Path) -> None:
    text = job('blob = "x"', name="a") + job(PLAIN + 'blob = "/{run}"', name="b") + job(PLAIN, name="c")
    problem = problem_of(tmp_path, text).splitlines()
    assert [line.split(":")[1] for line in problem] == [" job 'a'", " job 'b'", " job 'c'"]


def test_each_problem_of_a_job_is_a_line(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, job(PLAIN + "\n".join(f"key_{n} = 1" for n in range(40)))).splitlines()
    assert len(problem) == 41
    assert all(re.fullmatch(r".*: job 'a': (blob: missing|key_\d+: unknown key)", line) for line in problem)


def test_a_mark_at_the_beginning_of_the_file_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    file.write_bytes(b"\xef\xbb\xbf" + f'[[job]]\nname = "a"\n{PLAIN}blob = "a/{{run}}"\n'.encode())
    assert list(load_jobs(file)) == ["a"]


def test_two_jobs_whose_names_meet_on_some_days_only_are_refused(tmp_path: Path) -> None:
    window = '[job.window]\ncolumn = "at"\ntype = "date"\nevery = "1 EVERY"\n'
    days = job(PLAIN + 'blob = "x/{window_start:%Y/%m/%d}"\n', name="a") + window.replace("EVERY", "day")
    months = job(PLAIN + 'blob = "x/{window_start:%Y/%m}/01"\n', name="b") + window.replace("EVERY", "month")
    expected = ["FILE: job 'b': blob: job 'a' writes the same names; add {job}"]
    assert disabled_of(tmp_path, days + months) == {"b": expected}


def test_a_job_that_is_switched_off_is_asked_for_by_no_tick(tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    off = 'blob = "a/{run}"\nschedule = "0 0 0 * * *"\nenabled = false\n'
    file.write_text(f'[[job]]\nname = "a"\n{PLAIN}{off}')
    read = load_jobs(file)["a"]
    assert not read.is_scheduled
    assert list(due_requests(read, datetime(2026, 1, 2, tzinfo=UTC))) == []


def test_two_jobs_of_one_name_are_refused(tmp_path: Path) -> None:
    text = job(PLAIN + 'blob = "x/{run}"') + job(PLAIN + 'blob = "y/{run}"')
    assert problem_of(tmp_path, text) == "FILE: job 'a': name: two jobs have it"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('blob = "x/{run}"', 'blob = "x/{run}"'),
        ('blob = "{schema}/{run}"', 'blob = "s/{run:%Y%m%dT%H%M%S}"'),
        ('blob = "x/{run:%F}T{run:%T}"', 'blob = "x/{run:%Y-%m-%d}T{run:%H:%M:%S}"'),
        ('blob = "x/{window_start:%Y%m%d}"' + DAILY, 'blob = "x/{window_end:%Y%m%d}"' + DAILY),
        ('blob = "x/{run:%Y%m%d}"\nschedule = "0 0 0 * * *"', 'blob = "x/{window_start:%Y%m%d}"' + DAILY),
    ],
)
def test_of_two_jobs_that_could_write_the_same_names_the_later_is_disabled(
    tmp_path: Path, one: str, other: str
) -> None:
    """The second one's blobs would look as if they were there already."""
    text = job(PLAIN + one, name="first") + job(PLAIN + other, name="second")
    expected = "FILE: job 'second': blob: job 'first' writes the same names; add {job}"
    assert disabled_of(tmp_path, text) == {"second": [expected]}


def test_one_bad_job_disables_that_job_only(tmp_path: Path) -> None:
    bad = job("blob = 3\n", name="bad") + "[[job]]\n" + PLAIN
    good = "".join(job(PLAIN + 'blob = "{job}/{run}"', name=name) for name in "ab")
    assert disabled_of(tmp_path, good + bad) == {
        "bad": ["FILE: job 'bad': blob: it should be a valid string"],
        None: ["FILE: job number 4: name: missing", "FILE: job number 4: blob: missing"],
    }
    assert set(load_jobs(tmp_path / "jobs.toml")) == {"a", "b"}


def test_jobs_of_one_name_are_all_disabled_as_nobody_knows_which_is_meant(tmp_path: Path) -> None:
    text = job(PLAIN + 'blob = "x/{run}"') + job(PLAIN + 'blob = "y/{run}"') + job(PLAIN + 'blob = "z/{run}"', name="b")
    assert disabled_of(tmp_path, text) == {"a": ["FILE: job 'a': name: two jobs have it"]}
    assert list(load_jobs(tmp_path / "jobs.toml")) == ["b"]


@pytest.mark.parametrize(
    ("lines", "meant"),
    [
        ("bolb = 1", "blob"),
        ("shema = 1", "schema"),
        ("[job.output]\ncompresion = 1", "compression"),
        ('[job.window]\ncolumn = "at"\ntype = "date"\nevery = "1 day"\ncatchup = "2 days"', "catch_up"),
        ('[job.window]\ncolumn = "id"\ntype = "integer"\nsize = 1\nsise = 1', "size"),
    ],
)
def test_an_unknown_key_names_the_one_that_was_meant(tmp_path: Path, lines: str, meant: str) -> None:
    told = problem_of(tmp_path, job(PLAIN + 'blob = "x/{run}"\n' + lines)).splitlines()
    assert [line.partition("unknown key; ")[2] for line in told if "unknown key" in line] == [f"did you mean {meant}?"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            'type = "timestmp"\nevery = "1 day"',
            "window.type: must be one of 'timestamptz', 'timestamp', 'date', 'integer'; did you mean timestamp?",
        ),
        (
            'type = "integer"\nsize = 5\ndelay = "1 hour"',
            "window.delay: unknown key; a window of type integer has none",
        ),
        ('type = "date"\nevery = "1 day"\nend = 5', "window.end: write a day, such as 2026-01-31"),
        ('type = "date"\nevery = "1 day"\nstart = "2026-13-01"', "window.start: write a day, such as 2026-01-31"),
        ('type = "timestamp"\nevery = "7 hours"', "window.every: 7 hours do not divide a day, as 6 and 8 would"),
        ('type = "timestamp"\nevery = "30 hours"', "window.every: 30 hours do not divide a day, as 24 would"),
    ],
)
def test_a_wrong_window_says_what_to_write(tmp_path: Path, lines: str, expected: str) -> None:
    (told,) = problem_of(
        tmp_path, job(PLAIN + f'blob = "x/{{run}}"\n[job.window]\ncolumn = "at"\n{lines}')
    ).splitlines()
    assert told.endswith(f": {expected}")


def test_the_same_template_with_the_job_in_it_serves_any_number_of_jobs(tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    file.write_text("".join(job(PLAIN + 'blob = "{job}/{run}"', name=name) for name in ("a", "b", "c")))
    assert set(load_jobs(file)) == {"a", "b", "c"}


def test_the_former_name_of_streams_is_read_with_a_hint(tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    file.write_text('[[job]]\nname = "a"\nschema = "s"\ntable = "t"\nblob = "a/{run}.csv.gz"\nparts = 3\n')
    jobs = load_jobs(file)
    assert jobs["a"].streams == 3
    assert jobs.hints == (f"{file}: job 'a': parts is called streams now; the old name is still read",)


@pytest.mark.parametrize("bound", ["window_start", "window_end"])
def test_a_query_with_one_bound_of_its_window_is_refused(bound: str, tmp_path: Path) -> None:
    """It would export everything from there on, or up to there."""
    file = tmp_path / "jobs.toml"
    file.write_text(
        '[[job]]\nname = "a"\nblob = "{window_start}"\n'
        f'query = "select * from t where id >= {{{bound}}}"\n'
        '[job.window]\ncolumn = "id"\ntype = "integer"\nsize = 10\n'
    )
    with pytest.raises(ConfigurationError, match=rf"it has only {{{bound}}}"):
        load_jobs(file)
