"""Pure: the identity that a token names. The token itself is never shown."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self


@dataclass(frozen=True, slots=True)
class Claims:
    """The holder of a token; empty texts if the token lacks a claim. `name` is the identity's or the person's."""

    name: str
    app_id: str
    object_id: str
    tenant_id: str
    audience: str
    until: datetime | None

    @classmethod
    def of(cls, token: str) -> Self:
        """The claims of a JSON Web Token, without verification; all empty if it is invalid.

        >>> Claims.of("no token").describe()
        'an identity that the token does not name'
        """
        claims = _payload(token)
        resource = str(claims.get("xms_mirid") or "")
        # Only the resource id holds a managed identity's name; a system-assigned one has the app's name.
        name = resource.rpartition("/")[2] if resource else _first(claims, "upn", "unique_name", "app_displayname")
        ends = claims.get("exp")
        return cls(
            name=name,
            app_id=_first(claims, "appid", "azp"),
            object_id=_first(claims, "oid"),
            tenant_id=_first(claims, "tid"),
            audience=_first(claims, "aud"),
            until=datetime.fromtimestamp(ends, UTC) if isinstance(ends, int | float) else None,
        )

    def describe(self) -> str:
        """One line: who, in which tenant, until when."""
        who = self.name or (f"application {self.app_id}" if self.app_id else "an identity that the token does not name")
        parts = [
            f"object id {self.object_id}" if self.object_id else "",
            f"client id {self.app_id}" if self.app_id and self.name else "",
            f"tenant {self.tenant_id}" if self.tenant_id else "",
            f"until {self.until:%H:%M} UTC" if self.until else "",
        ]
        return ", ".join([who, *filter(None, parts)])


def _payload(token: str) -> Mapping[str, object]:
    try:
        _, body, _ = token.split(".")
        payload = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, binascii.Error):
        return {}
    return payload if isinstance(payload, dict) else {}


def _first(claims: Mapping[str, object], *names: str) -> str:
    return next((str(claims[name]) for name in names if claims.get(name)), "")
