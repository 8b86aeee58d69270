"""Azure's description of queues in Atom XML ↔ the emulator's.

Properties that the emulator does not have are taken and left out: AutoDeleteOnIdle, EnablePartitioning and so on.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from emulators.service_bus.config import QueueProperties, first_problem
from emulators.service_bus.control import Counts, Description

ATOM = "http://www.w3.org/2005/Atom"
SERVICE_BUS = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
COUNTS = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
# Azure's defaults, if they differ from those of Config.json.
_DEFAULTS = {"DefaultMessageTimeToLive": "P10675199DT2H48M5.477580S"}


class Unreadable(ValueError):  # noqa: N818
    """A body that describes no queue; the message says why."""


def read(body: bytes) -> QueueProperties:
    """Read the properties in the body of a PUT. Raises Unreadable."""
    try:
        root = ET.fromstring(body)  # noqa: S314  what comes is from tests on this machine
    except ET.ParseError as error:
        raise Unreadable(f"the body is no XML: {error}") from error
    described = next((node for node in root.iter() if _local(node) == "QueueDescription"), None)
    if described is None:
        raise Unreadable("the body has no QueueDescription: only queues are offered")
    given = {_local(node): node.text or "" for node in described if _local(node) in QueueProperties.model_fields}
    for name in ("ForwardTo", "ForwardDeadLetteredMessagesTo"):
        given[name] = given.get(name, "").partition("://")[2].partition("/")[2] or given.get(name, "")
    try:
        return QueueProperties.model_validate(_DEFAULTS | given)
    except ValidationError as error:
        raise Unreadable(first_problem(error)) from error


def entry(queue: Description, base: str) -> str:
    """Write the document of one queue. base: the namespace's URL."""
    return _text(_entry(queue, base))


def feed(title: str, queues: Iterable[Description], base: str, following: str | None = None) -> str:
    """Write a list of queues. following: the URL of the next page."""
    root = ET.Element("feed", xmlns=ATOM)
    _add(root, "title", title).set("type", "text")
    _add(root, "id", base)
    _add(root, "updated", _time(0))
    for rel, href in (("self", base), ("next", following)):
        if href is not None:
            ET.SubElement(root, "link", rel=rel, href=href)
    root.extend(_entry(queue, base) for queue in queues)
    return _text(root)


def namespace(base: str) -> str:
    """Write the document of the namespace."""
    root = ET.Element("entry", xmlns=ATOM)
    _add(root, "title", "sbemulatorns").set("type", "text")
    content = ET.SubElement(root, "content", type="application/xml")
    info = ET.SubElement(content, "NamespaceInfo", xmlns=SERVICE_BUS)
    facts = {"CreatedTime": _time(0), "MessagingSKU": "Standard", "MessagingUnits": "0", "ModifiedTime": _time(0)}
    for name, text in {**facts, "Name": base.partition("://")[2], "NamespaceType": "Messaging"}.items():
        _add(info, name, text)
    return _text(root)


def error(status: int, detail: str) -> str:
    """Write the document of a refusal."""
    root = ET.Element("Error")
    _add(root, "Code", str(status))
    _add(root, "Detail", detail)
    return _text(root)


def _entry(queue: Description, base: str) -> ET.Element:
    root = ET.Element("entry", xmlns=ATOM)
    url = f"{base}/{queue.name}"
    _add(root, "id", url)
    _add(root, "title", queue.name).set("type", "text")
    _add(root, "published", _time(queue.created_ms))
    _add(root, "updated", _time(queue.updated_ms))
    ET.SubElement(root, "link", rel="self", href=url)
    content = ET.SubElement(root, "content", type="application/xml")
    described = ET.SubElement(content, "QueueDescription", xmlns=SERVICE_BUS)
    for name, text in _facts(queue).items():
        if text:
            _add(described, name, text)
        if name == "UpdatedAt":
            described.append(_counts(queue.counts))
    return root


_FIXED = {
    "SupportOrdering": "true",
    "AutoDeleteOnIdle": "P10675199DT2H48M5.477580S",
    "EnablePartitioning": "false",
    "EntityAvailabilityStatus": "Available",
}


def _facts(queue: Description) -> dict[str, str]:
    """List the properties in Azure's order, which .NET needs."""
    properties, updated = queue.properties, _time(queue.updated_ms)
    return {
        "LockDuration": _duration(properties.LockDuration),
        "MaxSizeInMegabytes": "1024",
        "RequiresDuplicateDetection": _flag(properties.RequiresDuplicateDetection),
        "RequiresSession": _flag(properties.RequiresSession),
        "DefaultMessageTimeToLive": _duration(properties.DefaultMessageTimeToLive),
        "DeadLetteringOnMessageExpiration": _flag(properties.DeadLetteringOnMessageExpiration),
        "DuplicateDetectionHistoryTimeWindow": _duration(properties.DuplicateDetectionHistoryTimeWindow),
        "MaxDeliveryCount": str(properties.MaxDeliveryCount),
        "EnableBatchedOperations": "true",
        "SizeInBytes": str(queue.counts.size),
        "MessageCount": str(queue.counts.total),
        "IsAnonymousAccessible": "false",
        "Status": "Active",
        "ForwardTo": properties.ForwardTo or "",
        "CreatedAt": _time(queue.created_ms),
        "UpdatedAt": updated,
        "AccessedAt": updated,
        **_FIXED,
        "ForwardDeadLetteredMessagesTo": properties.ForwardDeadLetteredMessagesTo or "",
        "EnableExpress": "false",
    }


def _counts(counts: Counts) -> ET.Element:
    root = ET.Element("CountDetails", {"xmlns:d": COUNTS})
    # Azure counts locked and deferred messages as active.
    active = counts.active + counts.locked + counts.deferred
    facts = {"Active": active, "DeadLetter": counts.dead_letters, "Scheduled": counts.scheduled}
    for name, count in {**facts, "Transfer": 0, "TransferDeadLetter": 0}.items():
        _add(root, f"d:{name}MessageCount", str(count))
    return root


def _add(parent: ET.Element, name: str, text: str) -> ET.Element:
    child = ET.SubElement(parent, name)
    child.text = text
    return child


def _text(root: ET.Element) -> str:
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _local(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]


def _flag(flag: bool) -> str:
    return "true" if flag else "false"


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _duration(duration: timedelta) -> str:
    """ISO 8601.

    >>> _duration(timedelta(minutes=1)), _duration(timedelta(days=14))
    ('PT60S', 'P14D')
    """
    seconds = duration.seconds + duration.microseconds / 1_000_000
    days = f"{duration.days}D" if duration.days else ""
    return f"P{days}" + (f"T{seconds:.6f}".rstrip("0").rstrip(".") + "S" if seconds or not days else "")
