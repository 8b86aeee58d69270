"""Entra tokens as passwords: fresh, and as few requests as possible."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from connections.postgres.tokens import SCOPE, TokenPassword, password_source
from contracts.errors import ConfigurationError, IdentityUnavailable
from settings import Settings


@dataclass
class Issuer:
    """A credential whose tokens live an hour by a clock that is set by hand."""

    now: float = 1000.0
    is_down: bool = False
    scopes: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        if self.is_down:
            raise RuntimeError("no identity endpoint\nsecond line")
        with self._lock:
            self.scopes += scopes
        return AccessToken(f"token-{len(self.scopes)}", int(self.now) + 3600)

    def close(self) -> None: ...

    def password(self) -> TokenPassword:
        return TokenPassword(self, clock=lambda: self.now)


def test_one_token_serves_until_it_is_about_to_end() -> None:
    issuer = Issuer()
    password = issuer.password()
    assert [password(), password()] == ["token-1", "token-1"]
    issuer.now += 3200
    assert password() == "token-1"
    issuer.now += 101
    assert password() == "token-2"
    assert issuer.scopes == [SCOPE, SCOPE]


def test_a_token_that_is_still_valid_serves_while_none_can_be_had() -> None:
    issuer = Issuer()
    password = issuer.password()
    password()
    issuer.is_down = True
    issuer.now += 3500
    assert password() == "token-1"
    issuer.now += 101
    with pytest.raises(IdentityUnavailable, match=r"no Entra token for PostgreSQL: no identity endpoint$"):
        password()
    issuer.is_down = False
    assert password() == "token-2"


def test_threads_that_ask_at_once_share_one_token() -> None:
    issuer = Issuer()
    password = issuer.password()
    with ThreadPoolExecutor(8) as threads:
        tokens = set(threads.map(lambda _: password(), range(64)))
    assert tokens == {"token-1"}
    assert len(issuer.scopes) == 1


BASE = {
    "ServiceBusConnection": "x",
    "ExportStorage": "y",
    "PGHOST": "h",
    "PGDATABASE": "d",
    "PGUSER": "u",
}


def test_a_password_is_used_as_it_is() -> None:
    assert password_source(Settings.from_env({**BASE, "PGPASSWORD": "word"}))() == "word"


def test_with_an_identity_the_password_is_a_token() -> None:
    source = password_source(Settings.from_env({**BASE, "TAILRACE_CREDENTIAL": "azure-cli"}))
    assert isinstance(source, TokenPassword)


def test_a_missing_credential_is_not_guessed() -> None:
    from connections.credential import credential_for

    with pytest.raises(ConfigurationError, match="TAILRACE_CREDENTIAL is missing"):
        credential_for(Settings.from_env({**BASE, "PGPASSWORD": "word"}))
