"""The official emulator's Config.json, as far as this broker supports it."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

DEFAULT = Path(__file__).with_name("default_config.json")

type QueueName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?$")]


class ConfigError(ValueError):
    """A configuration is wrong; the message is one line with the file, the place and the reason."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class QueueProperties(_Model):
    """The properties of a queue, with the official emulator's names and defaults. Durations are ISO 8601."""

    LockDuration: timedelta = Field(default=timedelta(minutes=1), gt=timedelta(0), le=timedelta(minutes=5))
    MaxDeliveryCount: int = Field(default=10, ge=1, le=2000)
    RequiresDuplicateDetection: bool = False
    DuplicateDetectionHistoryTimeWindow: timedelta = Field(
        default=timedelta(minutes=10), ge=timedelta(seconds=1), le=timedelta(days=7)
    )
    DeadLetteringOnMessageExpiration: bool = False
    DefaultMessageTimeToLive: timedelta = Field(default=timedelta(days=14), gt=timedelta(0))
    ForwardTo: str | None = ""
    ForwardDeadLetteredMessagesTo: str | None = ""
    RequiresSession: bool = False


class QueueConfig(_Model):
    """A named queue."""

    Name: QueueName
    Properties: QueueProperties = QueueProperties()


class Namespace(_Model):
    """The queues of one namespace; topics are not offered, so the list must be empty."""

    Name: str = Field(min_length=1)
    Queues: tuple[QueueConfig, ...] = ()
    Topics: tuple[()] = ()

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [queue.Name.lower() for queue in self.Queues]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"the queue {min(twice)!r} is given twice")
        for queue in self.Queues:
            for target in (queue.Properties.ForwardTo, queue.Properties.ForwardDeadLetteredMessagesTo):
                if target and target.lower() not in names:
                    raise ValueError(f"the queue {queue.Name!r} forwards to {target!r}, which is none")
        return self


class UserConfig(_Model):
    """The emulator serves exactly one namespace, and so does this broker."""

    Namespaces: tuple[Namespace]
    Logging: dict[str, Any] = {}


class Config(_Model):
    """The whole file."""

    UserConfig: UserConfig

    @property
    def queues(self) -> tuple[QueueConfig, ...]:
        """The queues to serve."""
        return self.UserConfig.Namespaces[0].Queues


def read(path: Path = DEFAULT) -> Config:
    """Read the configuration in a file. Raises ConfigError."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    return parse(text, str(path))


def parse(text: bytes, name: str) -> Config:
    """Parse the configuration in a JSON text. name: its source, for messages.

    >>> parse(b'{"UserConfig": {"Namespaces": [{"Name": "n", "Queues": [{"Name": "a"}]}]}}', "x").queues[0].Name
    'a'
    >>> parse(b'{"UserConfig": {"Namespaces": []}}', "x.json")
    Traceback (most recent call last):
    ...
    emulators.service_bus.config.ConfigError: x.json: UserConfig.Namespaces.0: Field required
    """
    try:
        return TypeAdapter(Config).validate_json(text)
    except ValidationError as error:
        raise ConfigError(f"{name}: {first_problem(error)}") from error


def queue_properties(name: str, values: Mapping[str, object]) -> QueueProperties:
    """Give the properties of a queue from their names in Config.json. Raises ConfigError, which names the queue.

    >>> queue_properties("orders", {"LockDuraton": "PT5S"})
    Traceback (most recent call last):
    ...
    emulators.service_bus.config.ConfigError: queue 'orders': LockDuraton: Extra inputs are not permitted
    """
    try:
        return QueueProperties.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"queue {name!r}: {first_problem(error)}") from error


_NOT_OFFERED = {"Topics": "topics are not offered by this broker, the list must be empty"}


def first_problem(error: ValidationError, whole: str = "the file") -> str:
    """Describe the first problem in one line, with its place. whole: a name for the document itself."""
    problem, *others = error.errors(include_url=False, include_context=False)
    place = ".".join(str(part) for part in problem["loc"])
    reason = next((text for key, text in _NOT_OFFERED.items() if key in problem["loc"]), problem["msg"])
    more = f" (and {len(others)} more)" if others else ""
    return f"{place or whole}: {reason}{more}"
