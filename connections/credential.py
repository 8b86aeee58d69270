"""The one configured credential. Only that one is tried, so that an error names what to mend."""

from typing import TYPE_CHECKING

from contracts.errors import ConfigurationError
from settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


def credential_for(settings: Settings) -> "TokenCredential":
    """The credential that TAILRACE_CREDENTIAL names. Raises ConfigurationError where it names none."""
    from azure import identity

    match settings.credential:
        case "managed-identity":
            return identity.ManagedIdentityCredential(client_id=settings.client_id)
        case "azure-cli":
            return identity.AzureCliCredential()
        case "service-principal":
            return identity.EnvironmentCredential()
        case None:
            raise ConfigurationError("settings: TAILRACE_CREDENTIAL is missing; no identity can be used without it")
