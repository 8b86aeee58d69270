"""Advice to the operator: by the words of the server, by the token, and by where the settings lead."""

import base64
import json

import pytest

from doctor.claims import Claims
from doctor.endpoints import Endpoint, endpoints
from doctor.session import login_advice
from settings import Settings

BASE = {
    "ServiceBusConnection": "Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=k=",
    "ExportStorage": "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5;EndpointSuffix=core.windows.net",
    "PGHOST": "db.postgres.database.azure.com",
    "PGDATABASE": "sales",
    "PGUSER": "id-x",
    "PGPASSWORD": "p",
}


NEITHER = "neither an AAD_AUTH_TOKENTYPE_APP_USER or an AAD_AUTH_TOKENTYPE_APP_OBO token."


def settings(**changes: str) -> Settings:
    return Settings.from_env({name: value for name, value in {**BASE, **changes}.items() if value})


def token(**claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{body}.signature"


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (
            "Service Principals cannot generate AAD_AUTH_TOKENTYPE_APP_USER tokens for role[id-x]",
            "--object-id … --kind service",
        ),
        (
            f"Azure AD user token for role[id-x] is {NEITHER}",
            'the role "id-x" belongs to another identity',
        ),
        ('no pg_hba.conf entry for host "1.2.3.4", user "x", database "y", no encryption', "server's firewall"),
        ("remaining connection slots are reserved for roles with the SUPERUSER attribute", "TAILRACE_POOL_SIZE"),
        ('too many connections for role "id-x"', 'ALTER ROLE "id-x" CONNECTION LIMIT -1;'),
        ('permission denied for database "sales"', 'GRANT CONNECT ON DATABASE "sales" TO "id-x";'),
        ('role "id-x" is not permitted to log in', 'ALTER ROLE "id-x" LOGIN;'),
        ("something new", "check PGHOST and PGPORT"),
    ],
)
def test_the_words_of_a_refused_login_lead_to_its_fix(words: str, advice: str) -> None:
    assert advice in login_advice(words, settings(), None)


def test_a_right_name_that_is_refused_lacks_its_role() -> None:
    claims = Claims.of(token(xms_mirid="/subscriptions/s/providers/Microsoft.ManagedIdentity/u/id-x", oid="1"))
    assert "`tailrace grants --role id-x`" in login_advice("password authentication failed", settings(), claims)


def test_a_person_s_token_names_the_person() -> None:
    claims = Claims.of(token(upn="ann@example.org", oid="1", tid="2", exp=1767225600))
    assert claims.describe() == "ann@example.org, object id 1, tenant 2, until 00:00 UTC"


@pytest.mark.parametrize("text", ["", "a.b", "a.!.c", "a.bnVsbA.c", "a.W10.c"])
def test_what_is_no_token_has_no_claims(text: str) -> None:
    assert Claims.of(text).object_id == ""


def test_connection_strings_lead_to_the_servers_of_azure() -> None:
    assert endpoints(settings()) == [
        Endpoint("PostgreSQL", "db.postgres.database.azure.com", 5432, "postgres"),
        Endpoint("Service Bus", "a.servicebus.windows.net", 5671, "direct"),
        Endpoint("Storage", "acc.blob.core.windows.net", 443, "direct"),
    ]


def test_identities_lead_there_too() -> None:
    found = endpoints(
        settings(
            ServiceBusConnection="",
            ServiceBusConnection__fullyQualifiedNamespace="b.servicebus.windows.net",
            ExportStorage="",
            ExportStorage__serviceUri="https://acc2.blob.core.windows.net/",
            TAILRACE_CREDENTIAL="azure-cli",
            PGSSLMODE="require",
        )
    )
    assert [endpoint.host for endpoint in found] == [
        "db.postgres.database.azure.com",
        "b.servicebus.windows.net",
        "acc2.blob.core.windows.net",
    ]
    assert [endpoint.verified for endpoint in found] == [False, True, True]


def test_a_connection_string_that_names_no_server_leads_nowhere() -> None:
    assert [endpoint.name for endpoint in endpoints(settings(ServiceBusConnection="x", ExportStorage="y"))] == [
        "PostgreSQL"
    ]
