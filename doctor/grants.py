"""Pure: the psql statements that let a role export what the jobs name, and nothing else."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from psycopg import sql
from psycopg.conninfo import make_conninfo

from doctor.reads import TableRead

# Defaults of the role's sessions as (name, value, reason). An export sets its own limits in its transaction.
ROLE_SETTINGS = (
    ("default_transaction_read_only", "on", "no statement writes by mistake"),
    ("statement_timeout", "5min", "for whatever else logs in as this role; an export sets its own"),
    ("idle_in_transaction_session_timeout", "5min", "a forgotten transaction would keep vacuum from its work"),
    ("idle_session_timeout", "15min", "a worker that was killed leaves its sessions behind"),
)

# The predefined role that may see the transactions of other sessions.
STATISTICS_ROLE = "pg_read_all_stats"


@dataclass(frozen=True, slots=True)
class Login:
    """How the role logs in. object_id: of the service principal, if the role and the identity have different names.

    kind: the kind of the object, as pgaadauth names it.
    """

    method: Literal["entra", "password"] = "entra"
    object_id: str | None = None
    kind: Literal["service", "user", "group"] = "service"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rights that a role is to have. queries: names of jobs whose tables are not among `reads`.

    future_tables: also SELECT on tables that `owner`, or whoever runs the statements, creates later.
    prove_closed: also the right to see when other sessions' transactions began, which proves windows closed.
    """

    role: str
    database: str
    reads: tuple[TableRead, ...]
    queries: tuple[str, ...] = ()
    login: Login = Login()
    future_tables: bool = False
    prove_closed: bool = False
    owner: str | None = None
    role_settings: bool = True


def grant_script(wanted: Wanted) -> str:
    """A psql script, each line a statement, a comment or empty; safe to run again."""
    sections = (
        _creation(wanted),
        _connection(wanted),
        _tables(wanted),
        _queries(wanted),
        _future(wanted) if wanted.future_tables else [],
        _statistics(wanted) if wanted.prove_closed else [],
        _settings(wanted) if wanted.role_settings else [],
    )
    return "\n\n".join("\n".join(section) for section in ([*_title(wanted)], *sections) if section) + "\n"


def _title(wanted: Wanted) -> Iterator[str]:
    who = "an Entra administrator of the server" if wanted.login.method == "entra" else "an administrator of the server"
    yield comment(f"What role {wanted.role} needs to run the exports of jobs.toml. Safe to run again.")
    yield comment(f"Save it as grants.sql; as {who}: psql --set=ON_ERROR_STOP=1 --file=grants.sql")


def _creation(wanted: Wanted) -> list[str]:
    role, login = wanted.role, wanted.login
    if login.method == "password":
        create = sql.SQL("SELECT {} WHERE NOT EXISTS ({}) \\gexec").format(
            sql.Literal(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)).as_string()), _has(role)
        )
        return [comment(f"Then give it a password, in psql: \\password {role}"), create.as_string()]
    if login.object_id is None:
        made = sql.SQL("pgaadauth_create_principal({}, false, false)").format(sql.Literal(role))
        about = "The role's name must be the identity's name in Entra, upper and lower case included."
    else:
        arguments = sql.SQL(", ").join(map(sql.Literal, (role, login.object_id, login.kind)))
        made = sql.SQL("pgaadauth_create_principal_with_oid({}, false, false)").format(arguments)
        about = "The object id is that of the identity's service principal, not its client id or application's id."
    create = sql.SQL("SELECT {} WHERE NOT EXISTS ({});").format(made, _has(role))
    return [comment(about), connect("postgres"), create.as_string()]


def _has(role: str) -> sql.Composed:
    return sql.SQL("SELECT FROM pg_catalog.pg_roles WHERE rolname = {}").format(sql.Literal(role))


def _connection(wanted: Wanted) -> list[str]:
    database, role = sql.Identifier(wanted.database), sql.Identifier(wanted.role)
    return [connect(wanted.database), statement("GRANT CONNECT ON DATABASE {} TO {};", database, role)]


def _tables(wanted: Wanted) -> list[str]:
    role = sql.Identifier(wanted.role)
    lines = [statement("GRANT USAGE ON SCHEMA {} TO {};", sql.Identifier(s), role) for s in _schemas(wanted.reads)]
    for read in wanted.reads:
        lines.append(comment("job " + ", ".join(read.jobs)))
        lines.append(select_grant(read, wanted.role))
    return lines


def select_grant(read: TableRead, role: str) -> str:
    """The one statement that lets a role read what `read` names.

    >>> print(select_grant(TableRead("Sales", "order", ("id", 'odd "x"'), ("j",)), "My-Id"))
    GRANT SELECT ("id", "odd ""x""\") ON TABLE "Sales"."order" TO "My-Id";
    """
    table, to = sql.Identifier(read.schema, read.table), sql.Identifier(role)
    if read.columns is None:
        return statement("GRANT SELECT ON TABLE {} TO {};", table, to)
    columns = sql.SQL(", ").join(map(sql.Identifier, read.columns))
    return statement("GRANT SELECT ({}) ON TABLE {} TO {};", columns, table, to)


def _queries(wanted: Wanted) -> list[str]:
    if not wanted.queries:
        return []
    return [
        comment(
            f"Not known here: what the queries of {', '.join(wanted.queries)} read. Grant SELECT on it by hand, or"
        ),
        comment("run `tailrace grants --resolve-queries`, which asks the database."),
    ]


def _future(wanted: Wanted) -> list[str]:
    role = sql.Identifier(wanted.role)
    by = sql.SQL("") if wanted.owner is None else sql.SQL(" FOR ROLE {}").format(sql.Identifier(wanted.owner))
    whose = wanted.owner or "the role that runs this (--owner names another)"
    lines = [comment(f"Tables that come later, as far as they are created by {whose}.")]
    template = "ALTER DEFAULT PRIVILEGES{} IN SCHEMA {} GRANT SELECT ON TABLES TO {};"
    return lines + [statement(template, by, sql.Identifier(schema), role) for schema in _schemas(wanted.reads)]


def _statistics(wanted: Wanted) -> list[str]:
    lines = [comment("Shows when the transactions of other sessions began, which proves that a window is closed. It")]
    lines.append(comment("also shows the statements that they run; it lets the role read no table."))
    return [*lines, statement(f"GRANT {STATISTICS_ROLE} TO {{}};", sql.Identifier(wanted.role))]


def _settings(wanted: Wanted) -> list[str]:
    lines = [comment("A second line of defence: exports run in read-only transactions without these, too. Where the")]
    lines.append(comment("server refuses them, run them as a role with ADMIN OPTION on this one, or leave them out."))
    database, role = sql.Identifier(wanted.database), sql.Identifier(wanted.role)
    for name, value, why in ROLE_SETTINGS:
        altered = "ALTER ROLE {} IN DATABASE {} SET {} = {};"
        lines.append(comment(f"{name}: {why}"))
        lines.append(statement(altered, role, database, sql.SQL(name), sql.Literal(value)))
    return lines


def _schemas(reads: Iterable[TableRead]) -> list[str]:
    return sorted({read.schema for read in reads})


def statement(template: str, *parts: sql.Composable) -> str:
    """SQL text with its parts quoted according to their classes."""
    return sql.SQL(template).format(*parts).as_string()


def connect(database: str) -> str:
    r"""The psql command that connects to another database of the same server.

    >>> print(connect("it's"))
    \connect -reuse-previous=on "dbname=it\'s"
    """
    conninfo = make_conninfo(dbname=database).replace('"', '""')
    return f'\\connect -reuse-previous=on "{conninfo}"'


def comment(text: str) -> str:
    r"""A comment of one line, whatever names it contains.

    >>> comment("role a\nDROP TABLE t")
    '-- role a\\nDROP TABLE t'
    """
    return "-- " + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
