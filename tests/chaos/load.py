"""Pure: the requests of a run by its seed, and what must become of each."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from contracts.request import ExportRequest

RUN = datetime(2026, 2, 1, tzinfo=UTC)
JOBS = """
[[job]]
name = "j"
schema = "public"
table = "small"
blob = "{job}/{run}.csv.gz"

[[job]]
name = "q"
query = "select id, word from public.small where id % 2 = 0 order by id desc"
blob = "{job}/{run}.csv.gz"
"""
QUERY = "select id, word from public.small where id % 2 = 0 order by id desc"

type Compression = Literal["gzip", "zstd", "none", "parquet"]


@dataclass(frozen=True, slots=True)
class Whole:
    """A blob that holds exactly what `select` gives. `commits` is how often its name may be committed."""

    blob: str
    select: str
    compression: Compression
    commits: int = 1


@dataclass(frozen=True, slots=True)
class Superseded:
    """A newer request writes the same name: this one is done if the queue has let go of it."""

    blob: str


@dataclass(frozen=True, slots=True)
class Dead:
    """A dead letter with this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ask:
    """One message: its id, its body, what it asks for, and what must become of it."""

    kind: str
    message_id: str
    body: bytes
    fate: Whole | Superseded | Dead
    request_id: UUID | None = None
    foreign: str | None = None  # a blob of this name is written by somebody else before


@dataclass
class _Maker:
    seed: int
    rng: random.Random = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311  # reproducible, not secret

    def table(self, kind: str, table: str, compression: Compression = "gzip", **more: Any) -> Ask:
        self.number += 1
        columns = more.get("columns")
        blob = more.pop("blob", f"{kind}/{self.number:04d}")
        source = {"kind": "table", "schema": "public", "table": table, "columns": columns}
        more.pop("columns", None)
        request = self._request(blob, source, compression, **more)
        window = more.get("window")
        where = f" where id >= {window['start']} and id < {window['end']}" if window else ""
        select = f"select {', '.join(columns) if columns else '*'} from public.{table}{where}"
        return self._asked(kind, request, Whole(blob, select, compression))

    def query(self) -> Ask:
        self.number += 1
        blob = f"query/{self.number:04d}"
        request = self._request(blob, {"kind": "query", "name": "q"}, "gzip", job="q")
        return self._asked("query", request, Whole(blob, QUERY, "gzip"))

    def missing(self) -> Ask:
        self.number += 1
        source = {"kind": "table", "schema": "public", "table": "nowhere"}
        return self._asked("missing", self._request(f"missing/{self.number}", source, "gzip"), Dead("TableMissing"))

    def no_job(self) -> Ask:
        self.number += 1
        source = {"kind": "table", "schema": "public", "table": "small"}
        request = self._request(f"no-job/{self.number}", source, "gzip", job="none")
        return self._asked("no job", request, Dead("JobMissing"))

    def bad_body(self) -> Ask:
        self.number += 1
        body = self.rng.choice([b"{", b"", b'{"version": 1}', b"[" * 1000, b"\xff\xfe", b"null"])
        return Ask("bad body", f"bad-{self.number}", body, Dead("InvalidRequest"))

    def foreign(self) -> Ask:
        ask = self.table("foreign", "small")
        assert isinstance(ask.fate, Whole)
        return Ask("foreign", ask.message_id, ask.body, Dead("BlobExists"), ask.request_id, ask.fate.blob)

    def twice(self) -> list[Ask]:
        ask = self.table("twice", "slow")
        return [ask, Ask("twice", f"{ask.message_id}#again", ask.body, ask.fate, ask.request_id)]

    def replaced(self) -> list[Ask]:
        name = f"replaced/{self.number:04d}"
        older = self.table("replaced", "slow", blob=name, if_exists="replace")
        newer = self.table("replaced", "medium", blob=name, if_exists="replace", run=RUN + timedelta(days=1))
        assert isinstance(newer.fate, Whole)
        last = Ask(
            "replaced", newer.message_id, newer.body, Whole(name, newer.fate.select, "gzip", 2), newer.request_id
        )
        first = Ask("replaced", older.message_id, older.body, Superseded(name), older.request_id)
        return self.rng.sample([first, last], 2)

    def _request(self, blob: str, source: dict[str, Any], compression: str, **more: Any) -> ExportRequest:
        output = {"format": "parquet"} if compression == "parquet" else {"compression": compression}
        known = {"request_id": UUID(int=self.rng.getrandbits(128), version=4), "job": "j", "run": RUN, "blob": blob}
        return ExportRequest.model_validate(
            {**known, "source": source, "output": output, "closing": {"by": "delay"}, **more}
        )

    def _asked(self, kind: str, request: ExportRequest, fate: Whole | Superseded | Dead) -> Ask:
        return Ask(kind, str(request.request_id), request.to_body(), fate, request.request_id)


def _window(rng: random.Random) -> dict[str, object]:
    start = rng.randrange(0, 20_000)
    return {"type": "integer", "column": "id", "start": start, "end": start + rng.randrange(1, 9_000)}


type Make = Callable[[_Maker], Ask | list[Ask]]
# Kind → how often, and how it is made.
KINDS: dict[str, tuple[int, Make]] = {
    "small": (6, lambda maker: maker.table("small", "small")),
    "slow": (6, lambda maker: maker.table("slow", "slow")),
    "long": (1, lambda maker: maker.table("long", "long")),
    "medium": (4, lambda maker: maker.table("medium", "medium", columns=["id", "c", "b"])),
    "zstd": (2, lambda maker: maker.table("zstd", "medium", "zstd")),
    "parts": (3, lambda maker: maker.table("parts", "wide", streams=2)),
    "parquet": (2, lambda maker: maker.table("parquet", "medium", "parquet", columns=["id", "a", "c"], streams=2)),
    "plain": (2, lambda maker: maker.table("plain", "wide", "none")),
    "window": (3, lambda maker: maker.table("window", "medium", window=_window(maker.rng), streams=2)),
    "accounts": (4, lambda maker: maker.table("accounts", "accounts", streams=2)),
    "query": (2, _Maker.query),
    "twice": (2, _Maker.twice),
    "replaced": (2, _Maker.replaced),
    "missing": (1, _Maker.missing),
    "no job": (1, _Maker.no_job),
    "bad body": (1, _Maker.bad_body),
    "foreign": (1, _Maker.foreign),
}


def asks(seed: int, count: int, kinds: tuple[str, ...] = tuple(KINDS)) -> list[Ask]:
    """`count` messages: one of each kind first, as far as they reach, then by weight; the same for the same seed."""
    maker, found = _Maker(seed), list[Ask]()
    for kind in _kinds(maker.rng, kinds):
        made = KINDS[kind][1](maker)
        found += made if isinstance(made, list) else [made]
        if len(found) >= count:
            return found
    raise AssertionError


def _kinds(rng: random.Random, kinds: tuple[str, ...]) -> Iterator[str]:
    yield from rng.sample(kinds, len(kinds))
    weights = [KINDS[kind][0] for kind in kinds]
    while True:
        yield rng.choices(kinds, weights)[0]
