"""Settings.from_env(environ): the only reader of the environment. docs/reference/settings.md lists every name."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError

from contracts.errors import ConfigurationError, Problem
from contracts.model import Model, plain_words
from contracts.ncrontab import Ncrontab

type CredentialKind = Literal["managed-identity", "workload-identity", "azure-cli", "service-principal"]
type SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

# Environment variable → field, for each setting with one variable.
_PLAIN = {
    "TAILRACE_CREDENTIAL": "credential",
    "AZURE_CLIENT_ID": "client_id",
    "TAILRACE_QUEUE": "queue",
    "TAILRACE_CONTAINER": "container",
    "TAILRACE_JOBS": "jobs",
    "TAILRACE_TICK": "tick",
    "TAILRACE_AUDIT": "audit",
    "TAILRACE_AUDIT_BUDGET_SECONDS": "audit_budget_seconds",
    "TAILRACE_DRILL": "drill",
    "TAILRACE_DRILL_SERVER": "drill_server",
    "TAILRACE_DRILL_SAMPLE": "drill_sample",
    "TAILRACE_DRILL_BUDGET_SECONDS": "drill_budget_seconds",
    "TAILRACE_HTTP_AUTH": "http_auth",
    "TAILRACE_MAX_ATTEMPTS": "max_attempts",
    "TAILRACE_QUEUE_LIMIT": "queue_limit",
    "TAILRACE_RETRY_BASE_SECONDS": "retry_base_seconds",
    "TAILRACE_CONCURRENCY": "concurrency",
    "TAILRACE_POOL_SIZE": "pool_size",
    "TAILRACE_MAX_PARTS": "max_streams",  # its former name
    "TAILRACE_MAX_STREAMS": "max_streams",
    "PGHOST": "pg_host",
    "PGPORT": "pg_port",
    "PGDATABASE": "pg_database",
    "PGUSER": "pg_user",
    "PGPASSWORD": "pg_password",
    "PGSSLMODE": "pg_sslmode",
    "PGSSLROOTCERT": "pg_sslrootcert",
    "TAILRACE_PG_AUTH": "pg_auth",
    "TAILRACE_DRAIN_SECONDS": "drain_seconds",
    "TAILRACE_CONNECT_TIMEOUT_SECONDS": "connect_timeout_seconds",
    "TAILRACE_STATEMENT_TIMEOUT_SECONDS": "statement_timeout_seconds",
    "TAILRACE_LOCK_TIMEOUT_SECONDS": "lock_timeout_seconds",
}
# Connection name → (its identity-based variable, the field of that, the field of the connection string).
_CONNECTIONS = {
    "ServiceBusConnection": ("fullyQualifiedNamespace", "service_bus_namespace", "service_bus_connection_string"),
    "ExportStorage": ("serviceUri", "storage_url", "storage_connection_string"),
}
_HERE = Path(__file__).parent
_OFF = BeforeValidator(lambda value: None if value == "off" else value)


class Settings(Model):
    """What a process of Tailrace reads from its environment; secrets print as stars."""

    service_bus_connection_string: SecretStr | None = None
    service_bus_namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")] | None = None
    storage_connection_string: SecretStr | None = None
    storage_url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    credential: CredentialKind | None = None
    client_id: str | None = None

    queue: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,259}$")] = "exports"
    container: Annotated[str, Field(pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$", max_length=63)] = "exports"
    jobs: Path = _HERE / "jobs.toml"
    tick: Ncrontab = "0 * * * * *"
    # None, written as off: the app has no timer for it.
    audit: Annotated[Ncrontab | None, _OFF] = None
    # Of one audit of all jobs; well below the 30 minutes of a function.
    audit_budget_seconds: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    drill: Annotated[Ncrontab | None, _OFF] = None
    # A conninfo string, which may hold a password; without it, the server that exports read.
    drill_server: SecretStr | None = None
    drill_sample: Annotated[int, Field(ge=1, le=1000)] = 3
    # No further job begins then; a large window may take longer.
    drill_budget_seconds: Annotated[float, Field(ge=0, le=86_400)] = 900.0
    http_auth: Literal["key", "entra"] = "key"
    # With a delay of 15 s that doubles up to 15 minutes, ten attempts last for an hour.
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 10
    # Messages that a tick looks at, 250 a round trip, and ten times as many dead letters.
    queue_limit: Annotated[int, Field(ge=250, le=1_000_000)] = 5_000
    retry_base_seconds: Annotated[float, Field(gt=0, le=3600)] = 15.0
    concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    pool_size: Annotated[int, Field(ge=1, le=256)] = 4
    # None: by the processors of this machine, and by the distance of PostgreSQL.
    max_streams: Annotated[int, Field(ge=1, le=32)] | None = None

    # Empty for a process that makes no connection to PostgreSQL.
    pg_host: str = ""
    pg_port: Annotated[int, Field(ge=1, le=65535)] = 5432
    pg_database: str = ""
    pg_user: str = ""
    pg_password: SecretStr | None = None
    pg_sslmode: SslMode | None = None
    pg_sslrootcert: str | None = None
    pg_auth: Literal["password", "entra"] | None = None
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 20.0
    connect_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 15.0
    # PostgreSQL counts both in milliseconds, up to 2**31 - 1; 0 means no limit.
    statement_timeout_seconds: Annotated[float, Field(ge=0, le=2_000_000)] = 0.0
    lock_timeout_seconds: Annotated[float, Field(ge=0.001, le=2_000_000)] = 10.0

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str], *, postgres: bool = True, queue: bool = True, storage: bool = True
    ) -> Self:
        """The settings of this process. Raises ConfigurationError that names every variable to correct.

        `postgres`, `queue` and `storage`: whether the process connects to PostgreSQL, to Service Bus and to Blob
        Storage; if not, those settings may be missing.
        """
        values = {field: environ[name] for name, field in _PLAIN.items() if environ.get(name)}
        for connection, (suffix, identity_field, string_field) in _CONNECTIONS.items():
            for name, field in ((connection, string_field), (f"{connection}__{suffix}", identity_field)):
                if environ.get(name):
                    values[field] = environ[name]
        is_needed = {"ServiceBusConnection": queue, "ExportStorage": storage}
        needed = {name: fields for name, fields in _CONNECTIONS.items() if is_needed[name]}
        problems = _lacking_postgres(values) if postgres else []
        problems += _contradictions(values, needed) + (_login_contradictions(values) if postgres else [])
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            problems = [*_invalid(error), *problems]
        if problems:
            raise ConfigurationError.of(Problem(f"settings: {says}", advice) for says, advice in problems)
        return settings

    @property
    def postgres_auth(self) -> Literal["password", "entra"]:
        """How to log in to PostgreSQL: as configured, else by password if one is set."""
        return self.pg_auth or ("entra" if self.pg_password is None and self.credential else "password")

    @property
    def postgres_sslmode(self) -> SslMode:
        """As configured, else verify-full for any server that is not on this machine."""
        is_local = self.pg_host.startswith("/") or self.pg_host in {"localhost", "127.0.0.1", "::1"}
        return self.pg_sslmode or ("prefer" if is_local else "verify-full")

    @property
    def retry_base(self) -> timedelta:
        """The delay before the second attempt; it doubles with each further one."""
        return timedelta(seconds=self.retry_base_seconds)


def _lacking_postgres(values: Mapping[str, str]) -> list[Problem]:
    needed = {
        "pg_host": ("PGHOST", "set it to the server's name"),
        "pg_database": ("PGDATABASE", "set it to the database that holds the tables"),
        "pg_user": ("PGUSER", "set it to the role that reads them; with Entra it has the identity's name"),
    }
    return [Problem(f"{name} is missing", advice) for field, (name, advice) in needed.items() if field not in values]


def _contradictions(values: Mapping[str, str], needed: Mapping[str, tuple[str, str, str]]) -> list[Problem]:
    """What contradicts itself or is missing of the connections `needed`."""
    problems = []
    for connection, (suffix, identity_field, string_field) in needed.items():
        identity = f"{connection}__{suffix}"
        given = [field in values for field in (string_field, identity_field)]
        if all(given):
            problems.append(Problem(f"{connection} and {identity} contradict each other", "set one of them"))
        elif not any(given):
            advice = f"set it to a connection string, or {identity} to use an identity"
            problems.append(Problem(f"{connection} is missing", advice))
        elif identity_field in values and "credential" not in values:
            advice = "set it to managed-identity in Azure, azure-cli for yourself, service-principal elsewhere"
            problems.append(Problem(f"{identity} needs TAILRACE_CREDENTIAL", advice))
    return problems


def _login_contradictions(values: Mapping[str, str]) -> list[Problem]:
    auth, has_password = values.get("pg_auth"), "pg_password" in values
    if auth == "entra" and has_password:
        return [Problem("TAILRACE_PG_AUTH=entra and PGPASSWORD contradict each other", "leave one of them out")]
    if auth == "entra" and "credential" not in values:
        return [Problem("TAILRACE_PG_AUTH=entra needs TAILRACE_CREDENTIAL", "set it, or leave TAILRACE_PG_AUTH out")]
    if auth != "entra" and not has_password and "credential" not in values:
        return [Problem("PGPASSWORD is missing", "set it, or TAILRACE_CREDENTIAL to log in with an Entra token")]
    return []


# What a pattern or a range stands for.
_SAID = {
    "TAILRACE_CONTAINER": "a container's name has 3 to 63 small letters, digits and single hyphens",
    "TAILRACE_QUEUE": "a queue's name has letters, digits, dots, hyphens, underscores and slashes",
    "ServiceBusConnection__fullyQualifiedNamespace": "it is a host, such as name.servicebus.windows.net",
    "PGPORT": "a port is a number from 1 to 65535, such as 5432",
    "ExportStorage__serviceUri": "it is an address, such as https://name.blob.core.windows.net",
}


def _invalid(error: ValidationError) -> list[Problem]:
    names = {field: name for name, field in _PLAIN.items()}
    names |= {field: f"{connection}__{suffix}" for connection, (suffix, field, _) in _CONNECTIONS.items()}
    problems = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        name = names[str(problem["loc"][0])]
        message = _SAID.get(name) or plain_words(problem["msg"])
        problems.append(Problem(f"{name} is missing" if problem["type"] == "missing" else f"{name}: {message}"))
    return problems
