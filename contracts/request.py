"""One export to be done: the message body. Complete in itself, except that SQL never travels."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AliasChoices, Field, ValidationError

from contracts.blob_name import BlobName
from contracts.errors import RequestInvalid
from contracts.model import Identifier, JobName, Model, Whole, describe
from contracts.output import Output
from contracts.window import Instant, Window

VERSION: Literal[1] = 1
# Far above any real request (1,600 columns of 63 bytes are 106 KB), far below a size that burdens the parser.
MAX_BODY_BYTES = 192 * 1024


# Streams that a worker reads at once; by default the worker decides by the size of the table. `parts` is the former
# name.
Streams = Annotated[
    Annotated[int, Field(ge=1, le=32), Whole] | None, Field(validation_alias=AliasChoices("streams", "parts"))
]


class Closing(Model):
    """How a window is proven closed before its export, and what happens if it is not.

    `by` None is the strongest means that the role may use. After `wait_seconds` the window is exported without proof,
    which its receipt records, or left to be asked for again.
    """

    by: Literal["transactions", "writers", "delay"] | None = None
    wait_seconds: Annotated[float, Field(ge=0, le=7 * 86400)] = 3600.0
    otherwise: Literal["export", "leave"] = "export"


class TableSource(Model):
    """A table, view, materialized view, partitioned or foreign table; columns in this order, or all."""

    kind: Literal["table"] = "table"
    schema_name: Identifier = Field(alias="schema")
    table: Identifier
    columns: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=1600)] | None = None


class QuerySource(Model):
    """A query, by the name of its job; its text stays in jobs.toml."""

    kind: Literal["query"] = "query"
    name: JobName


type Source = Annotated[TableSource | QuerySource, Field(discriminator="kind")]


class ExportRequest(Model):
    """The body of one message: JSON in UTF-8, validated by this model at both ends.

    `request_id` depends on the job, the window or run, and the revision only; MessageIds begin with it. `run` is the
    time at which the export was due or asked for. `if_exists` decides about another request's blob of this name:
    refuse (dead-letter), or replace it. `replaces` is the entity tag of a blob to overwrite, whoever wrote it.
    """

    version: Literal[1] = 1
    request_id: UUID
    job: JobName
    source: Source
    window: Window | None = None
    blob: BlobName
    run: Instant
    revision: Annotated[int, Field(ge=1)] = 1
    if_exists: Literal["refuse", "replace"] = "refuse"
    output: Output = Output()
    streams: Streams = None
    closing: Closing = Closing()
    replaces: Annotated[str, Field(max_length=64)] | None = None

    def to_body(self) -> bytes:
        """The message body, UTF-8."""
        return self.model_dump_json(exclude_none=True).encode()


def parse_request(body: bytes) -> ExportRequest:
    """The request in a message body.

    Raises RequestInvalid with reason UnknownVersion, MessageTooLarge or InvalidRequest; the message
    names fields, never values.

    >>> parse_request(b"not json")
    Traceback (most recent call last):
    contracts.errors.RequestInvalid: no valid request: Invalid JSON: expected ident at line 1 column 2
    """
    if len(body) > MAX_BODY_BYTES:
        raise RequestInvalid(
            f"no valid request: the body has {len(body):,} bytes, at most {MAX_BODY_BYTES:,} are taken",
            reason="MessageTooLarge",
        )
    try:
        return ExportRequest.model_validate_json(body)
    except ValidationError as error:
        if any(problem["loc"] == ("version",) for problem in error.errors(include_url=False)):
            raise RequestInvalid(
                f"unknown version of a request; this worker understands version {VERSION}: "
                "deploy the worker that belongs to the producer, then replay",
                reason="UnknownVersion",
            ) from None
        raise RequestInvalid(f"no valid request: {describe(error)}", reason="InvalidRequest") from None
