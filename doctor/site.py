"""The deployment that the checks examine, as seen from this process."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connections.credential import credential_for
from connections.postgres.tokens import password_source
from contracts.jobs_file import Jobs, load_jobs
from settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


@dataclass(frozen=True)
class Site:
    """environ: the settings. root: the folder of host.json. Each is read once; safe for threads."""

    environ: Mapping[str, str] = field(repr=False)  # it holds secrets
    root: Path

    @cached_property
    def settings(self) -> Settings:
        """Raises ConfigurationError."""
        return Settings.from_env(self.environ)

    @cached_property
    def jobs(self) -> Jobs:
        """Raises ConfigurationError."""
        return load_jobs(self.settings.jobs)

    @cached_property
    def credential(self) -> "TokenCredential":
        """The configured credential. Raises ConfigurationError if there is none."""
        return credential_for(self.settings)

    @cached_property
    def plan(self) -> dict[str, Any] | None:
        """deploy/capacity.json: instances and memory. None where the deployment's files are not at hand."""
        try:
            plan = json.loads((self.root / "deploy" / "capacity.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return plan if isinstance(plan, dict) else None

    @cached_property
    def password(self) -> Callable[[], str | None]:
        """The password or token for PostgreSQL; a token is requested once."""
        return password_source(self.settings, self.environ)

    @property
    def on_functions(self) -> bool:
        """Whether the Functions host runs, or will run, this process."""
        return "FUNCTIONS_WORKER_RUNTIME" in self.environ or "WEBSITE_SITE_NAME" in self.environ
