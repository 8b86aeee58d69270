"""Entra tokens as PostgreSQL passwords: one token a process, refreshed before it ends."""

import os
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Self

from connections.credential import credential_for
from contracts.errors import IdentityUnavailable
from settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

SCOPE = "https://ossrdbms-aad.database.windows.net/.default"
# Each national cloud: suffix of its servers' names, suffixes of its sign-in hosts, resource.
_CLOUDS = (
    (
        ".chinacloudapi.cn",
        (".chinacloudapi.cn", ".microsoftonline.cn"),
        "https://ossrdbms-aad.database.chinacloudapi.cn",
    ),
    (".usgovcloudapi.net", (".microsoftonline.us",), "https://ossrdbms-aad.database.usgovcloudapi.net"),
)
_MARGIN_SECONDS = 300.0
# A share of a token's life, so that a token of five minutes is not refreshed at every connection.
_MARGIN_SHARE = 0.2
_PAUSE_SECONDS = 10.0


def postgres_scope(host: str, authority: str = "") -> str:
    """The scope of a token for a server. Its name decides the cloud, else AZURE_AUTHORITY_HOST does.

    >>> postgres_scope("a.postgres.database.usgovcloudapi.net")
    'https://ossrdbms-aad.database.usgovcloudapi.net/.default'
    >>> postgres_scope("10.0.0.4", "https://login.partner.microsoftonline.cn/")
    'https://ossrdbms-aad.database.chinacloudapi.cn/.default'
    """
    sign_in = authority.removeprefix("https://").rstrip("/").lower()
    for servers, hosts, resource in _CLOUDS:
        if host.lower().endswith(servers) or sign_in.endswith(hosts):
            return f"{resource}/.default"
    return SCOPE


class _Held(NamedTuple):
    token: str
    expires_on: float
    refresh_at: float

    @classmethod
    def of(cls, token: "AccessToken", now: float) -> Self:
        margin = min(_MARGIN_SECONDS, (token.expires_on - now) * _MARGIN_SHARE)
        return cls(token.token, token.expires_on, token.expires_on - margin)


class TokenPassword:
    """Returns the current token when called; safe for threads.

    One caller at a time refreshes it. While the old token is valid, no other caller waits, and a failed refresh leaves
    the old token in use.
    """

    def __init__(
        self, credential: "TokenCredential", clock: Callable[[], float] = time.time, scope: str = SCOPE
    ) -> None:
        """`clock` gives seconds since the epoch, as tokens do."""
        self._credential = credential
        self._clock = clock
        self._scope = scope
        self._lock = Lock()
        self._held: _Held | None = None
        self._failures = 0
        self._failure: Exception | None = None

    def __call__(self) -> str:
        """The token. Raises IdentityUnavailable if none is valid any more."""
        held, now, failures = self._held, self._clock(), self._failures
        if held is not None and now < held.refresh_at:
            return held.token
        is_valid = held is not None and now < held.expires_on
        if not self._lock.acquire(blocking=not is_valid):
            assert held is not None
            return held.token
        try:
            return self._refreshed(held, failures)
        finally:
            self._lock.release()

    def _refreshed(self, seen: _Held | None, failures: int) -> str:
        """The new token. A caller that waited for another one's refresh gets its token, or its failure."""
        if self._held is not None and self._held is not seen:
            return self._held.token
        if self._failures != failures and self._failure is not None:
            raise self._unavailable(self._failure)
        try:
            self._held = _Held.of(self._credential.get_token(self._scope), self._clock())
        except Exception as error:
            now = self._clock()
            if seen is not None and now < seen.expires_on:
                self._held = seen._replace(refresh_at=now + _PAUSE_SECONDS)
                return seen.token
            self._failures, self._failure = self._failures + 1, error
            raise self._unavailable(error) from error
        return self._held.token

    def _unavailable(self, error: Exception) -> IdentityUnavailable:
        cause = str(error).strip().partition("\n")[0]
        return IdentityUnavailable(f"no Entra token for PostgreSQL: {cause}")


def password_source(settings: Settings, environ: Mapping[str, str] = os.environ) -> Callable[[], str | None]:
    """A callable for each new connection's password: the configured one, or a fresh token."""
    if settings.postgres_auth == "entra":
        scope = postgres_scope(settings.pg_host, environ.get("AZURE_AUTHORITY_HOST", ""))
        return TokenPassword(credential_for(settings), scope=scope)
    password = settings.pg_password.get_secret_value() if settings.pg_password else None
    return lambda: password
