"""The one configured credential. Only that one is tried, so that an error names what to correct."""

from typing import TYPE_CHECKING, Any

from contracts.errors import ConfigurationError, IdentityUnavailable
from settings import CredentialKind, Settings

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

_UNKNOWN = "assign this identity to the app, or correct AZURE_CLIENT_ID: it is a client id, not an object id"
_NONE = (
    "in Azure assign an identity (az functionapp identity assign), on your own machine set "
    "TAILRACE_CREDENTIAL=azure-cli"
)
# Credential → (words of the SDK, Entra or the identity's endpoint; advice). The first match counts; the last one
# matches everything.
_ADVICE: dict[CredentialKind, tuple[tuple[str, str], ...]] = {
    "managed-identity": (
        ("identity not found", _UNKNOWN),
        ("no user assigned", _UNKNOWN),
        (
            "unable to load the proper managed identity",
            "the app has no system-assigned identity: set AZURE_CLIENT_ID to the client id of the one it has",
        ),
        ("", _NONE),
    ),
    "workload-identity": (
        (
            "azure_federated_token_file",
            'label the pod azure.workload.identity/use: "true", and give it the service account of the identity',
        ),
        ("aadsts70021", "add a federated credential for this service account to the identity"),
        ("", "check the pod's service account, AZURE_CLIENT_ID and AZURE_TENANT_ID"),
    ),
    "azure-cli": (
        ("not found on path", "install the Azure CLI, then az login"),
        ("aadsts50173", "az logout, then az login: the session was revoked"),
        ("", "az login, or az login --tenant <tenant id> if the account has several"),
    ),
    "service-principal": (
        (
            "not fully configured",
            "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or AZURE_CLIENT_CERTIFICATE_PATH)",
        ),
        ("aadsts7000215", "AZURE_CLIENT_SECRET is wrong: it is the secret's value, not its id"),
        ("aadsts7000222", "the secret has expired: az ad app credential reset, then set AZURE_CLIENT_SECRET"),
        ("aadsts700016", "the application is not in this tenant: check AZURE_CLIENT_ID and AZURE_TENANT_ID"),
        ("aadsts90002", "there is no such tenant: check AZURE_TENANT_ID, and AZURE_AUTHORITY_HOST for the cloud"),
        ("", "check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"),
    ),
}


def credential_for(settings: Settings) -> "TokenCredential":
    """The credential that TAILRACE_CREDENTIAL names. Raises ConfigurationError if it names none."""
    from azure import identity

    match settings.credential:
        case "managed-identity":
            return ConfiguredCredential("managed-identity", identity.ManagedIdentityCredential, settings.client_id)
        case "workload-identity":
            return ConfiguredCredential("workload-identity", identity.WorkloadIdentityCredential)
        case "azure-cli":
            return ConfiguredCredential("azure-cli", identity.AzureCliCredential)
        case "service-principal":
            return ConfiguredCredential("service-principal", identity.EnvironmentCredential)
        case None:
            raise ConfigurationError(
                "settings: TAILRACE_CREDENTIAL is missing", advice="set it: no identity can be used without it"
            )


class ConfiguredCredential:
    """A TokenCredential of azure-identity. Its failures name the credential and carry advice."""

    def __init__(self, kind: CredentialKind, make: Any, client_id: str | None = None) -> None:
        self.kind = kind
        self._client_id = client_id
        self._credential = make(client_id=client_id) if kind == "managed-identity" else make()

    def get_token(self, *scopes: str, **options: Any) -> "AccessToken":
        """As azure-identity's. Raises IdentityUnavailable."""
        from azure.core.exceptions import AzureError

        try:
            token: AccessToken = self._credential.get_token(*scopes, **options)
        except (AzureError, ValueError, OSError) as error:
            raise refusal(self.kind, self._client_id, str(error)) from error
        return token

    def close(self) -> None:
        """Ends its connections."""
        if hasattr(self._credential, "close"):
            self._credential.close()


def refusal(kind: CredentialKind, client_id: str | None, said: str) -> IdentityUnavailable:
    """The error of a credential that gave no token: which one, what the SDK said, and what to do.

    >>> print(refusal("azure-cli", None, "Azure CLI not found on path").explained)
    no token from azure-cli: Azure CLI not found on path; install the Azure CLI, then az login
    """
    cause = " ".join(said.split())[:300].rstrip(".:; ") or "no reason given"
    advice = next(advice for text, advice in _ADVICE[kind] if text in said.lower())
    whose = f"{kind} with client id {client_id}" if client_id and kind == "managed-identity" else kind
    return IdentityUnavailable(f"no token from {whose}: {cause}", advice=advice)
