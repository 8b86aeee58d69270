import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from support.command import run_tailrace

from devstack.postgres import Postgres
from devstack.postgres_programs import installed

JOBS = """
[[job]]
name = "clicks"
schema = "Events"
table = "Click"
blob = "clicks/{window_start:%Y/%m/%d}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"

[[job]]
name = "people"
schema = "crm"
table = "person"
columns = ["id", 'odd "name"']
blob = "people/{run}.csv.gz"

[[job]]
name = "totals"
query = "select c.id, b.label from \\"Events\\".\\"Click\\" c join crm.banner b using (id)"
blob = "totals/{run}.csv.gz"
"""
SOURCE = '''
create schema "Events"; create schema crm;
create table "Events"."Click" (id int, at timestamptz);
create table crm.person (id int, "odd ""name""" text, secret text);
create table crm.banner (id int, label text, price numeric);
create table crm.salary (id int);
'''
# What Azure Database for PostgreSQL has in its database `postgres`, as far as making a role goes.
STAND_INS = """
create table made (role text, object_id text, kind text);
create function pgaadauth_create_principal(role text, is_admin boolean, is_mfa boolean) returns text
language plpgsql as $$ begin
    execute format('create role %I login password %L', role, 'token');
    insert into made values (role, null, null);
    return 'Created role for ' || role;
end $$;
create function pgaadauth_create_principal_with_oid(
    role text, object_id text, kind text, is_admin boolean, is_mfa boolean) returns text
language plpgsql as $$ begin
    execute format('create role %I login password %L', role, 'token');
    insert into made values (role, object_id, kind);
    return 'Created role for ' || role;
end $$;
"""


@pytest.fixture(scope="session")
def azure_like(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server that has the functions which make Entra roles."""
    with Postgres.start(tmp_path_factory.mktemp("azure-like")) as postgres:
        with psycopg.connect(**postgres.parameters("postgres", "postgres"), autocommit=True) as server:
            server.execute(STAND_INS)
        yield postgres


@pytest.fixture
def server(azure_like: Postgres) -> Iterator[psycopg.Connection]:
    """A superuser in the database `postgres`; roles of the test are gone after it."""
    with psycopg.connect(**azure_like.parameters("postgres", "postgres"), autocommit=True) as connection:
        connection.execute('create database "sales\'24=x"')
        yield connection
        connection.execute('drop database "sales\'24=x" with (force)')
        for (name,) in connection.execute("delete from made returning quote_ident(role)").fetchall():
            connection.execute(f"drop owned by {name}; drop role {name}")


@pytest.fixture
def source(azure_like: Postgres, server: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A superuser in the database that the jobs read."""
    with psycopg.connect(**azure_like.parameters("postgres", "sales'24=x"), autocommit=True) as connection:
        connection.execute(SOURCE)
        yield connection


type Tailrace = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tailrace(azure_like: Postgres, source: psycopg.Connection, tmp_path: Path) -> Tailrace:
    """Runs the command for the role My-Identity, which logs in with the password `token`."""
    jobs = tmp_path / "jobs.toml"
    jobs.write_text(JOBS)

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        settings = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PG")},
            **azure_like.environ("exporter", "sales'24=x"),
            "PGUSER": "My-Identity",
            "PGPASSWORD": "token",
            "ServiceBusConnection": "Endpoint=sb://127.0.0.1;SharedAccessKeyName=a;SharedAccessKey=a",
            "ExportStorage": "UseDevelopmentStorage=true",
            "TAILRACE_JOBS": str(jobs),
        }
        return run_tailrace(arguments, {**settings, **environ})

    return run


@pytest.fixture
def psql(azure_like: Postgres, tmp_path: Path) -> Callable[[str], str]:
    """Runs a script by psql, as the server's administrator, from another database; what it says on stderr."""

    def run(script: str) -> str:
        file = tmp_path / "grants.sql"
        file.write_text(script)
        environ = {**os.environ, **azure_like.environ("postgres", "tailrace")}
        argv = [str(installed() / "psql"), "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--file={file}"]
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stderr

    return run
