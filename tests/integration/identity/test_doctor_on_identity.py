"""`tailrace doctor` names the identity, or how to get one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from devstack.postgres import free_port
from emulators.entra import TokenEndpoint

type Doctor = Callable[..., Any]


def test_the_identity_is_named_and_logs_in_and_no_token_is_shown(doctor: Doctor, endpoint: TokenEndpoint) -> None:
    seen: list[str] = []
    issue = endpoint.identity.issued
    endpoint.identity.issued = lambda token: (seen.append(token), issue(token))
    report = doctor(**endpoint.app_service_environ(), AZURE_CLIENT_ID=endpoint.identity.client_id)
    [identity] = report.of("identity")
    assert identity["says"].startswith(f"managed-identity: Id-Exporter, object id {endpoint.identity.object_id}")
    assert f"tenant {endpoint.identity.tenant_id}" in identity["says"]
    assert [finding["verdict"] for finding in report.of("postgres login")] == ["ok"]
    assert [finding["verdict"] for finding in report.of("postgres tables")] == ["ok"]
    assert seen
    assert not any(secret in report.said for secret in (*seen, seen[0].split(".")[1], "never-shown", "bmV2ZXItc2hvd24"))


def test_a_role_in_the_wrong_case_is_recognised_by_the_token(doctor: Doctor, endpoint: TokenEndpoint) -> None:
    [login] = doctor(**endpoint.imds_environ(), PGUSER="id-exporter").of("postgres login")
    assert login["says"] == 'password authentication failed for user "id-exporter"'
    assert "the token is Id-Exporter's and PGUSER is id-exporter (upper and lower case count)" in login["advice"]
    assert "set PGUSER=Id-Exporter" in login["advice"]
    assert f"tailrace grants --object-id {endpoint.identity.object_id}" in login["advice"]


def test_without_an_identity_endpoint_the_advice_says_how_to_get_one(doctor: Doctor) -> None:
    report = doctor(AZURE_POD_IDENTITY_AUTHORITY_HOST=f"http://127.0.0.1:{free_port()}")
    [identity] = report.of("identity")
    assert "no response from the IMDS endpoint" in identity["says"]
    assert "az functionapp identity assign" in identity["advice"]
    assert "TAILRACE_CREDENTIAL=azure-cli" in identity["advice"]
    assert report.of("postgres login")[0]["verdict"] == "skipped"


def test_a_wrong_client_id_is_reported_on_functions_and_on_machines(doctor: Doctor, endpoint: TokenEndpoint) -> None:
    for environ in (endpoint.imds_environ(), endpoint.app_service_environ()):
        [identity] = doctor(**environ, AZURE_CLIENT_ID="not-mine").of("identity")
        assert "managed-identity with client id not-mine" in identity["says"]
        assert "correct AZURE_CLIENT_ID: it is a client id, not an object id" in identity["advice"]


def test_a_person_who_is_not_logged_in_is_advised_to_log_in(doctor: Doctor, tmp_path: Path) -> None:
    az = tmp_path / "az"
    az.write_text("#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n")
    az.chmod(0o755)
    [identity] = doctor(TAILRACE_CREDENTIAL="azure-cli", PATH=f"{tmp_path}:/bin:/usr/bin").of("identity")
    assert "Please run 'az login'" in identity["says"]
    assert identity["advice"].startswith("az login")


def test_without_the_azure_cli_it_is_asked_for(doctor: Doctor, tmp_path: Path) -> None:
    [identity] = doctor(TAILRACE_CREDENTIAL="azure-cli", PATH=str(tmp_path)).of("identity")
    assert identity["advice"] == "install the Azure CLI, then az login"


def test_a_service_principal_without_its_variables_names_them(doctor: Doctor) -> None:
    [identity] = doctor(TAILRACE_CREDENTIAL="service-principal").of("identity")
    assert "not fully configured" in identity["says"]
    assert "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET" in identity["advice"]
