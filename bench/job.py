"""The task of one contender, from its environment: libpq's PG* variables, Tailrace's settings, and BENCH_*."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient


@dataclass(frozen=True, slots=True)
class Job:
    """Export `schema.table`, of `rows` rows, to `blob` in `container`."""

    schema: str
    table: str
    rows: int
    container: str
    blob: str
    storage: str

    @classmethod
    def from_env(cls) -> Self:
        schema, table = os.environ["BENCH_TABLE"].split(".")
        return cls(
            schema=schema,
            table=table,
            rows=int(os.environ["BENCH_ROWS"]),
            container=os.environ["TAILRACE_CONTAINER"],
            blob=os.environ["BENCH_BLOB"],
            storage=os.environ["ExportStorage"],  # noqa: SIM112  # as Azure Functions writes it
        )

    @classmethod
    def without_blob(cls, qualified: str, rows: int) -> Self:
        """A path for local files."""
        schema, table = qualified.split(".")
        return cls(schema, table, rows, container="", blob="", storage="")

    @property
    def copy(self) -> str:
        """The COPY that all contenders of CSV run, with a header as in ours."""
        return f"COPY {self.schema}.{self.table} TO STDOUT (FORMAT csv, HEADER)"

    def blob_client(self) -> "BlobClient":
        """A client with blocks as large as ours, so that no contender is slower by the settings of its upload.

        It would also read 64 MiB before it sends the first byte.
        """
        from azure.storage.blob import BlobClient

        return BlobClient.from_connection_string(
            self.storage, self.container, self.blob, max_block_size=4 << 20, max_single_put_size=4 << 20
        )
