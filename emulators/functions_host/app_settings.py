"""The settings a function app runs under: `Values` of local.settings.json, under the process environment."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

_PLACEHOLDER = re.compile(r"%([^%]+)%")


class HostError(Exception):
    """A mistake that a person has to correct; the text is shown without a traceback."""


def read_settings(path: Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Give the settings of the app: those of the file, except where the environment already has a value."""
    values = {} if path is None else _values(path)
    return {**values, **environ}


def _values(path: Path) -> dict[str, str]:
    document = read_json(path)
    values = document.get("Values", {})
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise HostError(f'{path}: "Values" must be an object whose values are all strings.')
    return {str(name): str(value) for name, value in values.items()}


def read_json(path: Path) -> dict[str, object]:
    """Read one JSON object from a file; raise HostError that names the file and the place of the mistake."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise HostError(f"{path} is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise HostError(f"{path} must hold one JSON object.")
    return document


def resolve(text: str, settings: Mapping[str, str]) -> str:
    """Replace each %NAME% by the setting of that name.

    >>> resolve("%TAILRACE_QUEUE%", {"TAILRACE_QUEUE": "exports"})
    'exports'
    >>> resolve("%MISSING%", {})
    Traceback (most recent call last):
    emulators.functions_host.app_settings.HostError: "%MISSING%" names the setting MISSING, which is not set. \
Put it into Values of local.settings.json or into the environment.
    """

    def value(match: re.Match[str]) -> str:
        if (found := settings.get(match[1])) is None:
            raise HostError(
                f'"{text}" names the setting {match[1]}, which is not set. '
                "Put it into Values of local.settings.json or into the environment."
            )
        return found

    return _PLACEHOLDER.sub(value, text)


def connection_string(name: str, settings: Mapping[str, str]) -> str:
    """Find the Service Bus connection string a trigger's `connection` stands for.

    >>> connection_string("ServiceBusConnection", {"ServiceBusConnection": "Endpoint=sb://127.0.0.1"})
    'Endpoint=sb://127.0.0.1'
    """
    for candidate in (name, f"AzureWebJobs{name}"):
        if found := settings.get(candidate):
            return found
    if f"{name}__fullyQualifiedNamespace" in settings:
        raise HostError(
            f"{name}__fullyQualifiedNamespace asks for an identity, which this local host does not have. "
            f"Set {name} to a connection string, or run the app with Core Tools."
        )
    raise HostError(f"The connection {name} is not set. Set {name} to a Service Bus connection string.")
