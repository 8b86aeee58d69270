"""What PostgreSQL's errors mean: a reason, and whether another attempt can help."""

import pytest

from connections.postgres.server_errors import Trouble, translated
from contracts.errors import SourceRejected, SourceUnavailable


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("42P01", "TableMissing"),
        ("3F000", "SchemaMissing"),
        ("42703", "ColumnMissing"),
        ("42501", "PrivilegeMissing"),
        ("25006", "QueryWrites"),
        ("22012", "QueryFails"),
        ("22P02", "QueryFails"),
        ("42883", "StatementRefused"),
        ("42601", "StatementRefused"),
        ("0A000", "NotSupported"),
        ("54000", "TooLarge"),
    ],
)
def test_what_the_database_will_always_refuse_is_rejected(state: str, reason: str) -> None:
    error = translated(Trouble(state, "cause", ""), "s.t")
    assert isinstance(error, SourceRejected)
    assert error.reason == reason
    assert str(error) == f"export of s.t was refused: cause (SQLSTATE {state})"
    assert error.advice


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("57014", "StatementTimeout"),
        ("55P03", "LockTimeout"),
        ("53300", "TooManyConnections"),
        ("28P01", "LoginRefused"),
        ("28000", "LoginRefused"),
        ("3D000", "LoginRefused"),
        ("40001", "SourceUnavailable"),
        ("57P01", "SourceUnavailable"),
        ("53200", "SourceUnavailable"),
        ("XX000", "SourceUnavailable"),
        ("", "SourceUnavailable"),
    ],
)
def test_what_may_pass_is_unavailable(state: str, reason: str) -> None:
    error = translated(Trouble(state, "cause", "hint"), "s.t")
    assert isinstance(error, SourceUnavailable)
    assert error.reason == reason
    assert ("SQLSTATE" in str(error)) == bool(state)


def test_a_hint_of_the_server_is_passed_on_if_a_person_must_act() -> None:
    explained = translated(Trouble("42703", 'column "ix" does not exist', 'Perhaps you meant "id".'), "s.t").explained
    assert '"ix" does not exist (Perhaps you meant "id".) (SQLSTATE 42703); create it' in explained
