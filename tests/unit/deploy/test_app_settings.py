"""The app settings that the templates give: every one is read by the app or the platform, and none is missing."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

import settings
from deploy.template.rules import settings_of
from deploy.template.syntax import Template, literal, properties
from settings import Settings

type Templates = Mapping[str, Template]

# Read by the Functions host, its extensions and the telemetry of either host, not by settings.py.
PLATFORM_SETTINGS = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "AzureWebJobs.export.Disabled",
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsStorage__credential",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_WORKER_RUNTIME",
    "PYTHON_THREADPOOL_THREAD_COUNT",
    "ServiceBusConnection__clientId",
    "ServiceBusConnection__credential",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID",
}
# Flex Consumption refuses these: its runtime is part of the app's own configuration.
NOT_ON_FLEX = {"FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_RUNTIME"}
# Values as Azure would compute them, for those that the templates do not spell out.
COMPUTED = {
    "AZURE_CLIENT_ID": "11111111-2222-3333-4444-555555555555",
    "ServiceBusConnection__fullyQualifiedNamespace": "sb-tailrace-x.servicebus.windows.net",
    "ExportStorage__serviceUri": "https://stexportsx.blob.core.windows.net/",
    "TAILRACE_QUEUE": "exports",
    "TAILRACE_CONTAINER": "exports",
    "TAILRACE_TICK": "0 * * * * *",
    "TAILRACE_AUDIT": "0 0 3 * * *",
    "TAILRACE_DRILL": "off",
    "TAILRACE_DRILL_SERVER": "",
    "TAILRACE_MAX_ATTEMPTS": "10",
    "TAILRACE_POOL_SIZE": "2",
    "TAILRACE_CONCURRENCY": "2",
    "TAILRACE_MAX_STREAMS": "2",
    "PGHOST": "psql-tailrace-x.postgres.database.azure.com",
    "PGPORT": "5432",
    "PGDATABASE": "postgres",
    "PGUSER": "id-tailrace-x",
}


@pytest.fixture(scope="module")
def shared(templates: Templates) -> set[str]:
    """Settings that functions and containers share."""
    return settings_of(templates["main.bicep"])


def _known_to_the_app() -> set[str]:
    identities = {f"{connection}__{suffix}" for connection, (suffix, *_) in settings._CONNECTIONS.items()}
    return {*settings._PLAIN, *identities}


def _environ(templates: Templates, given: set[str]) -> dict[str, str]:
    spelled_out = {
        name: str(literal(node))
        for name, node in properties(templates["main.bicep"].variables["exportSettings"]).items()
        if literal(node) is not None
    }
    return {name: {**COMPUTED, **spelled_out}[name] for name in given - PLATFORM_SETTINGS}


@pytest.mark.parametrize("file", ["functions.bicep", "worker_job.bicep"])
def test_every_setting_is_read_by_the_app_or_the_platform(templates: Templates, shared: set[str], file: str) -> None:
    given = shared | settings_of(templates[file])
    assert given - _known_to_the_app() <= PLATFORM_SETTINGS
    assert not _known_to_the_app() & PLATFORM_SETTINGS


def test_every_platform_setting_is_given_somewhere(templates: Templates, shared: set[str]) -> None:
    assert shared | settings_of(templates["functions.bicep"]) >= PLATFORM_SETTINGS


@pytest.mark.parametrize("file", ["functions.bicep", "worker_job.bicep"])
def test_the_app_starts_with_what_it_is_given(templates: Templates, shared: set[str], file: str) -> None:
    environ = _environ(templates, shared | settings_of(templates[file]))
    read = Settings.from_env(environ)
    assert read.postgres_auth == "entra"
    assert read.postgres_sslmode == "verify-full"
    assert read.credential == "managed-identity"
    assert read.client_id == environ["AZURE_CLIENT_ID"]


def test_nothing_that_flex_refuses_is_given_to_it(templates: Templates, shared: set[str]) -> None:
    functions = templates["functions.bicep"]
    on_flex = shared | set(properties(functions.variables["hostSettings"]))
    assert not on_flex & NOT_ON_FLEX
    assert not {name for name in on_flex if name.startswith("WEBSITE_")}


def test_every_setting_that_a_trigger_names_is_given(root: Path, shared: set[str]) -> None:
    sources = [(root / name / "functions.py").read_text("utf-8") for name in ("producer", "worker", "operations")]
    named = {name for source in sources for name in re.findall(r"%(\w+)%", source)}
    connections = {name for source in sources for name in re.findall(r'connection="(\w+)"', source)}
    assert named == {"TAILRACE_TICK", "TAILRACE_QUEUE", "TAILRACE_AUDIT", "TAILRACE_DRILL"}
    assert named <= shared
    assert {f"{name}__fullyQualifiedNamespace" for name in connections} <= shared


def test_no_key_and_no_password_is_among_them(templates: Templates, shared: set[str]) -> None:
    given = shared | settings_of(templates["functions.bicep"]) | settings_of(templates["worker_job.bicep"])
    assert not given & {"PGPASSWORD", "ServiceBusConnection", "ExportStorage", "AzureWebJobsStorage"}
