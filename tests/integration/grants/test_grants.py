"""The printed SQL, run by psql, gives the role its rights and no others."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from support.versions import since

from devstack.postgres import Postgres

type Tailrace = Callable[..., subprocess.CompletedProcess[str]]
# A command in this process has no time limit of its own.
pytestmark = pytest.mark.timeout(60)
type Psql = Callable[[str], str]


@pytest.fixture
def granted(tailrace: Tailrace, psql: Psql) -> None:
    printed = tailrace("grants")
    assert printed.returncode == 0, printed.stderr
    psql(printed.stdout)


@pytest.fixture
def as_role(azure_like: Postgres) -> Callable[..., psycopg.Connection]:
    def connect(role: str = "My-Identity") -> psycopg.Connection:
        parameters = {**azure_like.parameters("exporter", "sales'24=x"), "user": role, "password": "token"}
        return psycopg.connect(**parameters, autocommit=True)

    return connect


def test_the_role_is_made_by_the_function_for_identities_in_exact_case(
    granted: None, server: psycopg.Connection
) -> None:
    assert server.execute("select * from made").fetchall() == [("My-Identity", None, None)]


def test_the_role_reads_the_tables_of_the_jobs_and_only_the_listed_columns(
    granted: None, as_role: Callable[..., psycopg.Connection]
) -> None:
    with as_role() as role:
        role.execute('select * from "Events"."Click"')
        role.execute('select id, "odd ""name""" from crm.person')
        for refused in ("select secret from crm.person", "select * from crm.salary"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                role.execute(refused)


def test_a_session_of_the_role_is_read_only_with_time_outs(
    granted: None, as_role: Callable[..., psycopg.Connection]
) -> None:
    with as_role() as role:
        assert role.execute("show default_transaction_read_only").fetchone() == ("on",)
        assert role.execute("show idle_in_transaction_session_timeout").fetchone() == ("5min",)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            role.execute("create temp table t ()")


def test_a_second_run_changes_nothing(
    granted: None, tailrace: Tailrace, psql: Psql, source: psycopg.Connection
) -> None:
    catalogue = "select relname, relacl::text from pg_class where relacl is not null order by 1"
    before = source.execute(catalogue).fetchall()
    assert "ERROR" not in psql(tailrace("grants").stdout)
    assert source.execute(catalogue).fetchall() == before


NASTY = "a'b\"c;d:e\\f%s\n-- é"


def test_names_that_could_break_out_of_their_quotes_do_not(
    tailrace: Tailrace, psql: Psql, source: psycopg.Connection, tmp_path: Path, server: psycopg.Connection
) -> None:
    name = sql.Identifier(NASTY)
    source.execute(sql.SQL("create schema {0}; create table {0}.{0} ({0} int)").format(name))
    job = {"name": "a", "schema": NASTY, "table": NASTY, "columns": [NASTY], "blob": "{run}"}
    toml = "\n".join(f"{key} = {json.dumps(value)}" for key, value in job.items())
    (tmp_path / "nasty.toml").write_text(f"[[job]]\n{toml}\n")
    psql(tailrace("grants", "--role", NASTY, "--jobs", str(tmp_path / "nasty.toml"), "--future-tables").stdout)
    assert server.execute("select role from made").fetchall() == [(NASTY,)]
    readable = "select has_column_privilege(%s, attrelid, attnum, 'select') from pg_attribute where attname = %s"
    assert source.execute(readable, (NASTY, NASTY)).fetchall() == [(True,)]


def test_a_role_of_another_name_is_tied_to_the_object_id(
    tailrace: Tailrace, psql: Psql, server: psycopg.Connection
) -> None:
    psql(tailrace("grants", "--role", 'ex"porter; drop', "--object-id", "0aa1", "--kind", "group").stdout)
    assert server.execute("select * from made").fetchall() == [('ex"porter; drop', "0aa1", "group")]


def test_a_password_role_is_made_once_and_without_a_password(
    tailrace: Tailrace, psql: Psql, server: psycopg.Connection
) -> None:
    script = tailrace("grants", "--login", "password").stdout
    server.execute("insert into made values ('My-Identity')")  # so that it is dropped again
    psql(script)
    psql(script)
    has_password = "select rolcanlogin, rolpassword is null from pg_authid where rolname = 'My-Identity'"
    assert server.execute(has_password).fetchone() == (True, True)


def test_later_tables_are_readable_if_that_was_asked_for(
    tailrace: Tailrace, psql: Psql, source: psycopg.Connection, as_role: Callable[..., psycopg.Connection]
) -> None:
    psql(tailrace("grants", "--future-tables", "--owner", "postgres").stdout)
    source.execute("create table crm.later ()")
    with as_role() as role:
        role.execute("select * from crm.later")


def test_what_a_query_reads_is_reported_as_unknown_without_a_connection(tailrace: Tailrace) -> None:
    printed = tailrace("grants").stdout
    assert "Not known here: what the queries of totals read" in printed
    assert "banner" not in printed


def test_what_a_query_reads_is_found_in_the_database_column_by_column(
    granted: None, tailrace: Tailrace, psql: Psql, as_role: Callable[..., psycopg.Connection]
) -> None:
    printed = tailrace("grants", "--resolve-queries")
    assert 'GRANT SELECT ("id", "label") ON TABLE "crm"."banner"' in printed.stdout, printed.stderr
    psql(printed.stdout)
    with as_role() as role:
        role.execute('select c.id, b.label from "Events"."Click" c join crm.banner b using (id)')


@since(15)  # before, anybody may create tables in the schema public, which the audit reports
def test_a_role_that_has_just_these_grants_passes_the_audit(granted: None, tailrace: Tailrace, psql: Psql) -> None:
    psql(tailrace("grants", "--resolve-queries").stdout)
    audited = tailrace("grants", "--audit")
    assert (audited.returncode, audited.stderr) == (0, "")


@since(15)
def test_the_right_to_prove_windows_closed_shows_all_transactions_and_passes_the_audit(
    granted: None,
    tailrace: Tailrace,
    psql: Psql,
    source: psycopg.Connection,
    as_role: Callable[..., psycopg.Connection],
) -> None:
    psql(tailrace("grants", "--prove-closed", "--resolve-queries").stdout)
    source.execute("select 1")
    with as_role() as role:
        of_source = "select backend_start is not null from pg_stat_activity where pid = %s"
        assert role.execute(of_source, (source.info.backend_pid,)).fetchone() == (True,)
    audited = tailrace("grants", "--audit")
    assert (audited.returncode, audited.stderr) == (0, "")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('alter role "My-Identity" createrole createdb', 'ALTER ROLE "My-Identity" NOCREATEDB;'),
        ('grant pg_read_all_data to "My-Identity"', 'REVOKE "pg_read_all_data" FROM "My-Identity";'),
        ('grant update (id) on crm.person to "My-Identity"', "writes to crm.person"),
        ('grant select on crm.salary to "My-Identity"', 'REVOKE SELECT ON "crm"."salary" FROM "My-Identity", PUBLIC;'),
        ("grant select on crm.salary to public", 'REVOKE ALL ON "crm"."salary" FROM PUBLIC;'),
        ("grant create on schema crm to public", "CREATE on schema crm"),
        ('alter table crm.salary owner to "My-Identity"', "owner of crm.salary"),
        ('alter role "My-Identity" superuser', 'ALTER ROLE "My-Identity" NOSUPERUSER;'),
    ],
)
def test_the_audit_names_whatever_is_too_much_and_what_takes_it_away(
    granted: None, tailrace: Tailrace, psql: Psql, source: psycopg.Connection, given: str, said: str
) -> None:
    psql(tailrace("grants", "--resolve-queries").stdout)
    source.execute(given.encode())
    audited = tailrace("grants", "--audit")
    assert audited.returncode == 1
    assert said in audited.stdout


def test_an_audit_without_a_login_says_why(tailrace: Tailrace) -> None:
    audited = tailrace("grants", "--audit", PGUSER="nobody-here")
    assert audited.returncode == 1
    assert 'password authentication failed for user "nobody-here"' in audited.stderr
    assert "Traceback" not in audited.stderr
