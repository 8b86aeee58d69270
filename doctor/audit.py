"""Edge: the rights of a role beyond reading what the jobs name."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from doctor.grants import STATISTICS_ROLE
from doctor.reads import TableRead

_SYSTEM = "n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'"
# Postgres answers each with (what, subject, schema or NULL); `%(role)s` is the role's name.
_ATTRIBUTES = """
    SELECT word, NULL FROM pg_roles, LATERAL (VALUES
        ('SUPERUSER', rolsuper), ('CREATEROLE', rolcreaterole), ('CREATEDB', rolcreatedb),
        ('REPLICATION', rolreplication), ('BYPASSRLS', rolbypassrls)) AS v(word, has)
    WHERE rolname = %(role)s AND has"""
_MEMBERSHIPS = """
    WITH RECURSIVE m(oid) AS (
        SELECT roleid FROM pg_auth_members WHERE member = %(role)s::regrole
        UNION SELECT a.roleid FROM pg_auth_members AS a JOIN m ON a.member = m.oid)
    SELECT r.rolname::text, NULL FROM m JOIN pg_roles AS r USING (oid) ORDER BY 1"""
_OWNED = f"""
    SELECT n.nspname::text, c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relowner = %(role)s::regrole AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {_SYSTEM} ORDER BY 1, 2"""
_CREATE = f"""
    SELECT 'database', current_database()::text WHERE has_database_privilege(%(role)s, current_database(), 'CREATE')
    UNION ALL
    SELECT 'schema', n.nspname::text FROM pg_namespace AS n
    WHERE has_schema_privilege(%(role)s, n.oid, 'CREATE') AND {_SYSTEM}"""
_RELATIONS = f"""
    SELECT n.nspname::text, c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_SYSTEM}
      AND has_schema_privilege(%(role)s, n.oid, 'USAGE') AND {{}} ORDER BY 1, 2"""
_WRITE = _RELATIONS.format(
    "(has_table_privilege(%(role)s, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')"
    " OR has_any_column_privilege(%(role)s, c.oid, 'INSERT, UPDATE'))"
)
_READ = _RELATIONS.format("has_any_column_privilege(%(role)s, c.oid, 'SELECT')")
_PUBLIC = _RELATIONS.format(
    "EXISTS (SELECT FROM aclexplode(c.relacl) AS acl WHERE acl.grantee = 0 AND acl.privilege_type <> 'MAINTAIN')"
)
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Excess:
    """An unneeded right of the role; `advice` is the SQL that revokes it."""

    what: str
    subject: str
    advice: str


def excesses(connection: psycopg.Connection[Any], role: str, reads: Collection[TableRead]) -> list[Excess]:
    """Everything that `role` can do in this database beyond reading `reads`. Raises psycopg.Error.

    psycopg.errors.UndefinedObject if there is no such role.
    """
    name = sql.Identifier(role).as_string()
    found = [
        Excess("attribute", word, f"ALTER ROLE {name} NO{word};") for word, _ in _rows(connection, _ATTRIBUTES, role)
    ]
    if any(excess.subject == "SUPERUSER" for excess in found):
        return found  # a superuser can do everything, so its other rights do not matter
    needed = {(read.schema, read.table) for read in reads}
    found += [
        Excess("member of", member, f"REVOKE {_identifier(member)} FROM {name};")
        for member, _ in _rows(connection, _MEMBERSHIPS, sql.Identifier(role).as_string())
        if member != STATISTICS_ROLE  # it reads no table; it is granted to prove windows closed
    ]
    return [*found, *_privileges(connection, role, needed)]


def _privileges(connection: psycopg.Connection[Any], role: str, needed: Collection[tuple[str, str]]) -> list[Excess]:
    name = _identifier(role)
    owned = _rows(connection, _OWNED, name)
    found = [Excess("owner of", ".".join(o), f"ALTER TABLE {_identifier(*o)} OWNER TO …;") for o in owned]
    for kind, subject in _rows(connection, _CREATE, role):
        revoke = f"REVOKE CREATE ON {kind.upper()} {_identifier(subject)} FROM {name}, PUBLIC;"
        found.append(Excess("CREATE on", f"{kind} {subject}", revoke))
    for table in _without(_rows(connection, _WRITE, role), owned):
        revoke = f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {_identifier(*table)} FROM {name}, PUBLIC;"
        found.append(Excess("writes to", ".".join(table), revoke))
    readable = _without(_rows(connection, _READ, role), [*owned, *needed])
    found += [
        Excess("reads", ".".join(t), f"REVOKE SELECT ON {_identifier(*t)} FROM {name}, PUBLIC;") for t in readable
    ]
    open_to_all = _rows(connection, _PUBLIC, role)
    return found + [
        Excess("granted to PUBLIC", ".".join(t), f"REVOKE ALL ON {_identifier(*t)} FROM PUBLIC;") for t in open_to_all
    ]


def shortened(found: Iterable[Excess], most: int = _SHOWN) -> list[Excess]:
    """At most `most` of each kind, and one more with the number left out.

    >>> shortened([Excess("reads", str(n), "") for n in range(5)], most=2)[-1].subject
    'and 3 more'
    """
    kinds: dict[str, list[Excess]] = {}
    for excess in found:
        kinds.setdefault(excess.what, []).append(excess)
    shown: list[Excess] = []
    for what, of_kind in kinds.items():
        shown += of_kind[:most]
        if len(of_kind) > most:
            shown.append(Excess(what, f"and {len(of_kind) - most} more", ""))
    return shown


def _without(rows: Iterable[tuple[str, str]], known: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    excluded = set(known)
    return [row for row in rows if row not in excluded]


def _rows(connection: psycopg.Connection[Any], query: str, role: str) -> list[tuple[str, str]]:
    return connection.execute(query.encode(), {"role": role}).fetchall()


def _identifier(*names: str) -> str:
    return sql.Identifier(*names).as_string()
