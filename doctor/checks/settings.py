"""Checks that settings and jobs.toml are present and consistent."""

from collections.abc import Iterator
from difflib import get_close_matches

from contracts.errors import ConfigurationError, Problem
from doctor.finding import Check, Finding, failed, ok, warning
from doctor.site import Site
from settings import Settings

_HOST_READS = ("TAILRACE_TICK", "TAILRACE_QUEUE")


def settings_are_complete(site: Site) -> Iterator[Finding]:
    """Every problem by the name of its variable, then doubtful values."""
    try:
        settings = site.settings
    except ConfigurationError as error:
        yield from (_problem(problem) for problem in error.problems)
    else:
        yield ok("settings", f"queue {settings.queue!r}, container {settings.container!r}, {_postgres(settings)}")
        yield from _mixed(site, settings)
        yield from _for_the_host(site, settings)
        if settings.pool_size < settings.concurrency:
            says = f"{settings.concurrency} exports at once, but {settings.pool_size} connections: the rest waits"
            yield warning("TAILRACE_POOL_SIZE", says, f"set TAILRACE_POOL_SIZE={2 * settings.concurrency}")
    yield from _misspelt(site)


def jobs_are_valid(site: Site) -> Iterator[Finding]:
    """Every problem of jobs.toml."""
    try:
        names = list(site.jobs)
    except ConfigurationError as error:
        for problem in error.problems:
            yield _problem(problem, "jobs.toml")
    else:
        yield ok("jobs.toml", f"{len(names)} jobs: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}")


def jobs_are_usable(site: Site) -> Iterator[Finding]:
    """Every problem of a job that is disabled for it. The others go on."""
    if not site.jobs.disabled:
        yield ok("jobs.toml", "no job is disabled")
    for one in site.jobs.disabled:
        for problem in one.problems:
            yield failed(one.name or "jobs.toml", f"the job is disabled: {problem}", "docs/reference/jobs.md")


def _problem(problem: Problem, subject: str = "settings") -> Finding:
    says = problem.says.removeprefix("settings: ")
    return failed(
        subject, says, problem.advice or f"docs/reference/{'settings' if subject == 'settings' else 'jobs'}.md"
    )


def _postgres(settings: Settings) -> str:
    return f"{settings.pg_user}@{settings.pg_host}:{settings.pg_port}/{settings.pg_database}"


def _mixed(site: Site, settings: Settings) -> Iterator[Finding]:
    """Warns of secrets that are set beside an identity."""
    if settings.credential is None:
        return
    if settings.pg_password is not None and settings.pg_auth is None:
        says = "a password is set beside TAILRACE_CREDENTIAL: PostgreSQL is logged in to with the password"
        yield warning("PGPASSWORD", says, "remove PGPASSWORD, or say it outright by TAILRACE_PG_AUTH=password")
    for name, instead in (
        ("ServiceBusConnection", "ServiceBusConnection__fullyQualifiedNamespace"),
        ("ExportStorage", "ExportStorage__serviceUri"),
    ):
        if site.environ.get(name):
            says = "a connection string is set beside TAILRACE_CREDENTIAL: the identity is not used there"
            yield warning(name, says, f"set {instead} instead, to use the identity for all three")


def _for_the_host(site: Site, settings: Settings) -> Iterator[Finding]:
    """Checks the settings that the Functions host reads for its own connection to the queue."""
    if not site.on_functions:
        return
    for name in _HOST_READS:
        if not site.environ.get(name):
            advice = f"az functionapp config appsettings set --name APP --resource-group GROUP --settings {name}=…"
            yield failed(name, "the Functions host needs it, though the workers have a default", advice)
    if settings.service_bus_namespace is None or settings.credential != "managed-identity":
        return
    theirs, ours = site.environ.get("ServiceBusConnection__clientId"), settings.client_id
    if theirs != ours:
        says = f"the host's trigger uses {_identity(theirs)}, the workers use {_identity(ours)}"
        advice = f"set ServiceBusConnection__credential=managedidentity and ServiceBusConnection__clientId={ours}"
        yield warning(
            "ServiceBusConnection__clientId", says, advice if ours else "remove ServiceBusConnection__clientId"
        )


def _identity(client_id: str | None) -> str:
    return f"the identity with client id {client_id}" if client_id else "the system-assigned identity"


def _misspelt(site: Site) -> Iterator[Finding]:
    # Each variable of ours is named after its field.
    known = {f"TAILRACE_{field.upper()}" for field in Settings.model_fields}
    for name in sorted(site.environ):
        close = get_close_matches(name, known, n=1, cutoff=0.8)
        if name.startswith("TAILRACE_") and name not in known and close:
            yield warning(name, "no setting has this name, so it does nothing", f"did you mean {close[0]}?")


CHECKS = (
    Check("settings", settings_are_complete),
    Check("jobs", jobs_are_valid, needs=("settings",)),
    Check("disabled jobs", jobs_are_usable, needs=("jobs",)),
)
