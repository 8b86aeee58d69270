"""Tokens of a real endpoint as passwords at a real server, over TLS that is verified by the system's roots."""

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from connections.credential import credential_for
from connections.postgres.connector import Connector
from connections.postgres.tokens import SCOPE, TokenPassword, password_source
from contracts.errors import IdentityUnavailable
from emulators.entra import TokenEndpoint
from settings import Settings


@pytest.fixture
def connector(settings: dict[str, str], endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch) -> Connector:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "AZURE_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**endpoint.imds_environ(), "SSL_CERT_FILE": settings["SSL_CERT_FILE"]}.items():
        monkeypatch.setenv(name, value)
    given = Settings.from_env(settings)
    return Connector(given, password_source(given))


def logged_in(connector: Connector) -> bool:
    with psycopg.connect(**connector.parameters()) as connection:
        return connection.execute("select current_user = 'Id-Exporter'").fetchone() == (True,)


def test_one_token_serves_many_logins(connector: Connector, endpoint: TokenEndpoint) -> None:
    assert all(logged_in(connector) for _ in range(5))
    assert endpoint.requests == 1


def test_logins_go_on_while_tokens_end(connector: Connector, endpoint: TokenEndpoint) -> None:
    endpoint.identity.lifetime_s = 2
    deadline, logins = time.monotonic() + 30, 0
    while endpoint.requests < 4:
        assert time.monotonic() < deadline
        assert logged_in(connector)
        logins += 1
    assert logins > endpoint.requests


def test_an_outage_of_the_endpoint_is_not_noticed_while_the_token_is_valid(
    connector: Connector, endpoint: TokenEndpoint
) -> None:
    assert logged_in(connector)
    endpoint.identity.is_down = True
    assert logged_in(connector)


def test_an_unknown_identity_is_an_error_that_names_it(settings: dict[str, str], connector: Connector) -> None:
    given = Settings.from_env({**settings, "AZURE_CLIENT_ID": "wrong"})
    with pytest.raises(IdentityUnavailable, match="no token from managed-identity with client id wrong"):
        credential_for(given).get_token(SCOPE)


def test_threads_at_the_start_share_one_request(
    settings: dict[str, str], connector: Connector, endpoint: TokenEndpoint
) -> None:
    password = TokenPassword(credential_for(Settings.from_env(settings)))
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: password(), range(8)))) == 1
    assert endpoint.requests == 1


def test_without_the_authority_s_certificate_the_server_is_not_trusted(
    connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        logged_in(connector)
