"""The cloud of a token, and the place of root certificates."""

from pathlib import Path

import pytest

from connections.postgres.roots import root_certificates
from connections.postgres.tokens import postgres_scope


@pytest.mark.parametrize(
    ("host", "authority", "resource"),
    [
        ("a.postgres.database.azure.com", "", "windows.net"),
        ("a.postgres.database.azure.com", "https://login.microsoftonline.com/", "windows.net"),
        ("A.postgres.database.chinacloudapi.cn", "", "chinacloudapi.cn"),
        ("a.postgres.database.usgovcloudapi.net", "", "usgovcloudapi.net"),
        ("10.1.2.3", "login.microsoftonline.us", "usgovcloudapi.net"),
        ("10.1.2.3", "https://login.chinacloudapi.cn", "chinacloudapi.cn"),
    ],
)
def test_each_cloud_has_its_own_scope(host: str, authority: str, resource: str) -> None:
    assert postgres_scope(host, authority) == f"https://ossrdbms-aad.database.{resource}/.default"


def test_the_first_bundle_that_exists_is_taken(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    assert root_certificates(None, {}, [str(tmp_path / "none.pem"), str(bundle)]) == str(bundle)


def test_a_bundle_of_the_environment_comes_first_and_one_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    named, bundle = tmp_path / "named.pem", tmp_path / "ca.pem"
    bundle.touch()
    assert root_certificates(None, {"SSL_CERT_FILE": str(named)}, [str(bundle)]) == str(bundle)
    named.touch()
    assert root_certificates(None, {"SSL_CERT_FILE": str(named)}, [str(bundle)]) == str(named)


def test_without_any_bundle_of_the_system_there_are_still_roots() -> None:
    assert "BEGIN CERTIFICATE" in Path(root_certificates(None, {}, [])).read_text()
