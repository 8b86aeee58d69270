"""Checks the identity: who it is, and a token for each of its uses."""

from collections.abc import Iterator

from connections.postgres.tokens import postgres_scope
from contracts.errors import ConfigurationError, IdentityUnavailable
from doctor.claims import Claims
from doctor.finding import Check, Finding, failed_by, ok
from doctor.site import Site

# The same in all clouds.
_SERVICE_BUS, _STORAGE = "https://servicebus.azure.net/.default", "https://storage.azure.com/.default"


def audiences(site: Site) -> dict[str, str]:
    """The uses of tokens, with their scopes; empty if connection strings and a password suffice."""
    settings = site.settings
    wanted = {
        "Service Bus": (settings.service_bus_namespace, _SERVICE_BUS),
        "Storage": (settings.storage_url, _STORAGE),
        "PostgreSQL": (
            settings.postgres_auth == "entra",
            postgres_scope(settings.pg_host, site.environ.get("AZURE_AUTHORITY_HOST", "")),
        ),
    }
    return {name: scope for name, (is_used, scope) in wanted.items() if is_used}


def tokens_can_be_had(site: Site) -> Iterator[Finding]:
    """A token for each audience, and the identity that it names."""
    wanted = audiences(site)
    if not wanted:
        yield ok("identity", "none is used: connection strings and a password are set")
        return
    for name, scope in wanted.items():
        subject = f"token for {name}"
        try:
            token = site.credential.get_token(scope).token
        except (IdentityUnavailable, ConfigurationError) as error:
            yield failed_by(subject, error)
            return  # the other tokens name the same identity
        yield ok(subject, f"{site.settings.credential}: {Claims.of(token).describe()}")


CHECKS = (
    Check(
        "identity",
        tokens_can_be_had,
        needs=("settings",),
        limit_s=15.0,
        late="no managed identity is here: this is not Azure, or none is assigned",
        fix="assign one; for yourself set TAILRACE_CREDENTIAL=azure-cli",
    ),
)
