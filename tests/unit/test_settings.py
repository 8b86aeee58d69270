"""Settings from the environment; problems name every variable to fix."""

import pytest

from contracts.errors import ConfigurationError
from settings import Settings

BY_PASSWORD = {
    "ServiceBusConnection": "Endpoint=sb://127.0.0.1;SharedAccessKeyName=n;SharedAccessKey=S3cret;",
    "ExportStorage": "AccountName=a;AccountKey=S3cret;",
    "PGHOST": "db.example.com",
    "PGDATABASE": "events",
    "PGUSER": "exporter",
    "PGPASSWORD": "S3cret",
}
BY_IDENTITY = {
    "ServiceBusConnection__fullyQualifiedNamespace": "ns.servicebus.windows.net",
    "ExportStorage__serviceUri": "https://account.blob.core.windows.net",
    "TAILRACE_CREDENTIAL": "managed-identity",
    "PGHOST": "db.postgres.database.azure.com",
    "PGDATABASE": "events",
    "PGUSER": "identity-name",
}


def problems_of(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env(environ)
    assert "S3cret" not in str(caught.value)
    return str(caught.value).splitlines()


def test_connection_strings_and_a_password_are_enough() -> None:
    settings = Settings.from_env(BY_PASSWORD)
    assert (settings.queue, settings.container, settings.pg_port) == ("exports", "exports", 5432)
    assert settings.postgres_auth == "password"


def test_identities_need_no_secret() -> None:
    settings = Settings.from_env(BY_IDENTITY)
    assert settings.postgres_auth == "entra"
    assert settings.service_bus_connection_string is settings.pg_password is None


def test_an_identity_for_azure_and_a_password_for_the_database_go_together() -> None:
    assert Settings.from_env({**BY_IDENTITY, "PGPASSWORD": "S3cret"}).postgres_auth == "password"


def test_secrets_never_print() -> None:
    settings = Settings.from_env(BY_PASSWORD)
    for text in (repr(settings), str(settings), settings.model_dump_json(), f"{settings!r}"):
        assert "S3cret" not in text


def test_an_empty_environment_names_everything_that_is_missing() -> None:
    problems = "\n".join(problems_of({}))
    for name in ("ServiceBusConnection", "ExportStorage", "PGHOST", "PGDATABASE", "PGUSER", "PGPASSWORD"):
        assert f"{name} is missing" in problems
    assert all(line.startswith("settings: ") for line in problems.splitlines())


def test_a_process_without_postgresql_needs_none_of_its_settings_and_still_reads_them() -> None:
    without = {name: value for name, value in BY_PASSWORD.items() if not name.startswith("PG")}
    assert Settings.from_env(without, postgres=False).pg_host == ""
    assert Settings.from_env(BY_PASSWORD, postgres=False) == Settings.from_env(BY_PASSWORD)
    with pytest.raises(ConfigurationError, match="PGPORT: a port is a number from 1 to 65535, such as 5432"):
        Settings.from_env({**without, "PGPORT": "a"}, postgres=False)


def test_a_variable_that_is_set_to_nothing_is_not_set() -> None:
    assert "PGHOST is missing" in "\n".join(problems_of({**BY_PASSWORD, "PGHOST": ""}))
    assert Settings.from_env({**BY_PASSWORD, "TAILRACE_MAX_ATTEMPTS": ""}).max_attempts == 10


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PGPORT", "a", "PGPORT: a port is a number from 1 to 65535, such as 5432"),
        ("PGPORT", "70000", "PGPORT: a port is a number from 1 to 65535"),
        ("PGSSLMODE", "yes", "PGSSLMODE: it should be 'disable'"),
        ("TAILRACE_PG_AUTH", "none", "TAILRACE_PG_AUTH: it should be 'password' or 'entra'"),
        ("TAILRACE_CREDENTIAL", "managedidentity", "TAILRACE_CREDENTIAL: it should be 'managed-identity'"),
        ("TAILRACE_QUEUE", "a b", "TAILRACE_QUEUE: a queue's name has letters"),
        ("TAILRACE_CONTAINER", "Exports", "TAILRACE_CONTAINER: a container's name has 3 to 63 small letters"),
        ("TAILRACE_CONTAINER", "a--b", "TAILRACE_CONTAINER: a container's name has 3 to 63 small letters"),
        ("TAILRACE_CONTAINER", "ab", "TAILRACE_CONTAINER: a container's name has 3 to 63 small letters"),
        ("TAILRACE_CONTAINER", "a" * 64, "TAILRACE_CONTAINER: a container's name has 3 to 63 small letters"),
        ("TAILRACE_CONTAINER", "-".join("a" * 40), "TAILRACE_CONTAINER: a container's name has 3 to 63 small letters"),
        ("TAILRACE_TICK", "* * * * *", "TAILRACE_TICK: a schedule has six fields"),
        ("TAILRACE_MAX_ATTEMPTS", "0", "TAILRACE_MAX_ATTEMPTS: it should be greater"),
        ("TAILRACE_RETRY_BASE_SECONDS", "0", "TAILRACE_RETRY_BASE_SECONDS: it should be greater than 0"),
        ("TAILRACE_RETRY_BASE_SECONDS", "nan", "TAILRACE_RETRY_BASE_SECONDS: it should be"),
        ("TAILRACE_POOL_SIZE", "1000", "TAILRACE_POOL_SIZE: it should be less"),
        ("TAILRACE_DRAIN_SECONDS", "-1", "TAILRACE_DRAIN_SECONDS: it should be greater"),
        # PostgreSQL counts milliseconds in 31 bits, and takes 0 for no limit at all.
        ("TAILRACE_STATEMENT_TIMEOUT_SECONDS", "inf", "TAILRACE_STATEMENT_TIMEOUT_SECONDS: it should be less"),
        ("TAILRACE_STATEMENT_TIMEOUT_SECONDS", "nan", "TAILRACE_STATEMENT_TIMEOUT_SECONDS: it should be"),
        ("TAILRACE_LOCK_TIMEOUT_SECONDS", "1e9", "TAILRACE_LOCK_TIMEOUT_SECONDS: it should be less"),
        ("TAILRACE_LOCK_TIMEOUT_SECONDS", "0.0001", "TAILRACE_LOCK_TIMEOUT_SECONDS: it should be greater"),
        ("ExportStorage__serviceUri", "ftp://x", "ExportStorage__serviceUri: it is an address"),
    ],
)
def test_an_invalid_value_is_reported_by_the_name_of_its_variable(name: str, value: str, expected: str) -> None:
    environ = {**BY_PASSWORD, name: value}
    if name == "ExportStorage__serviceUri":
        environ = {**BY_IDENTITY, name: value}
    assert any(line.startswith(f"settings: {expected}") for line in problems_of(environ))


def test_two_ways_to_connect_contradict_each_other() -> None:
    both = BY_PASSWORD | BY_IDENTITY
    problems = "\n".join(problems_of(both))
    assert "ServiceBusConnection and ServiceBusConnection__fullyQualifiedNamespace contradict each other" in problems
    assert "ExportStorage and ExportStorage__serviceUri contradict each other" in problems


def test_an_identity_needs_the_name_of_its_credential() -> None:
    problems = "\n".join(
        problems_of({key: value for key, value in BY_IDENTITY.items() if key != "TAILRACE_CREDENTIAL"})
    )
    assert "ServiceBusConnection__fullyQualifiedNamespace needs TAILRACE_CREDENTIAL" in problems
    assert "PGPASSWORD is missing" in problems


def test_entra_and_a_password_contradict_each_other() -> None:
    problems = problems_of({**BY_IDENTITY, "TAILRACE_PG_AUTH": "entra", "PGPASSWORD": "S3cret"})
    assert problems == ["settings: TAILRACE_PG_AUTH=entra and PGPASSWORD contradict each other"]
    assert problems_of({**BY_PASSWORD, "TAILRACE_PG_AUTH": "entra"})
    without = {key: value for key, value in BY_PASSWORD.items() if key != "PGPASSWORD"}
    assert problems_of({**without, "TAILRACE_PG_AUTH": "entra"}) == [
        "settings: TAILRACE_PG_AUTH=entra needs TAILRACE_CREDENTIAL"
    ]


@pytest.mark.parametrize(
    ("host", "mode"),
    [("db.example.com", "verify-full"), ("10.0.0.4", "verify-full"), ("localhost", "prefer"), ("/tmp", "prefer")],  # noqa: S108
)
def test_a_server_elsewhere_must_prove_who_it_is(host: str, mode: str) -> None:
    assert Settings.from_env({**BY_PASSWORD, "PGHOST": host}).postgres_sslmode == mode
    assert Settings.from_env({**BY_PASSWORD, "PGHOST": host, "PGSSLMODE": "require"}).postgres_sslmode == "require"
