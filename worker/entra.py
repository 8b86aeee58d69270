"""Entra tokens as PostgreSQL passwords: one token a process, refreshed before it ends."""

import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from connections.credential import credential_for
from contracts.errors import IdentityUnavailable
from settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

SCOPE = "https://ossrdbms-aad.database.windows.net/.default"
_MARGIN_SECONDS = 300.0


class TokenPassword:
    """Callable that gives the current token. One refresh at a time; the old token serves while a refresh fails."""

    def __init__(self, credential: "TokenCredential", clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since the epoch, as tokens do."""
        self._credential = credential
        self._clock = clock
        self._lock = Lock()
        self._token: AccessToken | None = None

    def __call__(self) -> str:
        """The token. Raises IdentityUnavailable where there is none that is still valid."""
        with self._lock:
            token = self._token
            if token is None or token.expires_on - self._clock() < _MARGIN_SECONDS:
                token = self._token = self._refreshed(token)
            return token.token

    def _refreshed(self, old: "AccessToken | None") -> "AccessToken":
        try:
            return self._credential.get_token(SCOPE)
        except Exception as error:
            if old is not None and old.expires_on > self._clock():
                return old
            cause = str(error).strip().partition("\n")[0]
            raise IdentityUnavailable(f"no Entra token for PostgreSQL: {cause}") from error


def password_source(settings: Settings) -> Callable[[], str | None]:
    """What the pool calls for each new connection."""
    if settings.postgres_auth == "entra":
        return TokenPassword(credential_for(settings))
    password = settings.pg_password.get_secret_value() if settings.pg_password else None
    return lambda: password
