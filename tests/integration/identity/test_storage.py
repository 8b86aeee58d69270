"""The container by an identity's token, at a server that checks the token's audience and time."""

import pytest

from connections.storage import container_client, storage_errors
from contracts.errors import IdentityUnavailable, TailraceError
from doctor.checks.network import server_answers
from doctor.checks.storage import blobs_can_be_written, container_is_there
from doctor.report import ROOT
from doctor.site import Site
from emulators.entra import TokenEndpoint


@pytest.fixture
def site(
    settings: dict[str, str], storage: dict[str, str], endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> Site:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "AZURE_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    environ = {**endpoint.imds_environ(), **storage}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return Site({name: value for name, value in {**settings, **environ}.items() if value}, ROOT)


@pytest.fixture
def container(site: Site) -> None:
    with container_client(site.settings, connections=1) as client:
        client.create_container()


def test_a_blob_is_written_and_deleted_by_a_token(site: Site, container: None, endpoint: TokenEndpoint) -> None:
    [network] = server_answers("Storage", site)
    assert network.says.endswith("certificate verified")
    assert [finding.verdict for finding in container_is_there(site)] == ["ok", "ok"]
    [written] = blobs_can_be_written(site)
    assert written.verdict == "ok"
    assert endpoint.requests >= 1


def test_a_token_that_has_ended_is_refused_by_the_account(site: Site, endpoint: TokenEndpoint) -> None:
    endpoint.identity.lifetime_s = -60
    with container_client(site.settings, connections=1) as client:
        with pytest.raises(TailraceError, match="AuthenticationFailed"), storage_errors("a look", "container"):
            client.get_container_properties()


def test_without_a_token_it_is_the_identity_that_is_named_and_not_the_account(
    site: Site, endpoint: TokenEndpoint
) -> None:
    site = Site({**site.environ, "AZURE_CLIENT_ID": "wrong"}, ROOT)
    with container_client(site.settings, connections=1) as client:
        with pytest.raises(IdentityUnavailable, match="client id wrong"), storage_errors("a look", "container"):
            client.get_container_properties()
