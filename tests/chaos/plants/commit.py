"""Planted: faults of the commit of a blob."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chaos.plants.plant import WRONG, plant


@plant(
    "the commit has no condition", "published again",
    loads=("twice",), requests=8,
)  # fmt: skip
def _no_condition() -> None:
    from worker.blob.sink import Found, Upload

    options = Upload._options

    def without(self: Any, receipt: Any, content_type: str) -> dict[str, Any]:
        found = options(self, receipt, content_type)
        self._replacing = Found("", None)  # or the SDK adds a condition of its own
        return {"metadata": found["metadata"], "content_settings": found["content_settings"]}

    Upload._options = without  # type: ignore[method-assign]


@plant("an empty blob is committed first", "published again", "wrong blob")
def _empty_first() -> None:
    from worker.blob.sink import Upload

    commit = Upload.commit

    def twice(self: Any, receipt: Any, content_type: str) -> None:
        blob = self._staging.blob
        if not blob.exists():
            from worker.blob.sink import Found

            etag = blob.upload_blob(b"", overwrite=True)["etag"]
            self._replacing = Found(etag, None)
        commit(self, receipt, content_type)

    Upload.commit = twice  # type: ignore[method-assign]


@plant("parts are committed in the wrong order", *WRONG, loads=("parts", "window"))
def _wrong_order() -> None:
    from worker.blob.sink import Upload

    commit = Upload.commit

    def reversed_(self: Any, receipt: Any, content_type: str) -> None:
        self._parts = {len(self._parts) - number: part for number, part in self._parts.items()}
        commit(self, receipt, content_type)

    Upload.commit = reversed_  # type: ignore[method-assign]


@plant("a part's gzip member is dropped", *WRONG, loads=("parts", "window"))
def _member_dropped() -> None:
    from worker.blob.sink import Upload

    commit = Upload.commit

    def without(self: Any, receipt: Any, content_type: str) -> None:
        if len(self._parts) > 1:
            del self._parts[max(self._parts)]
        commit(self, receipt, content_type)

    Upload.commit = without  # type: ignore[method-assign]


@plant("a block that failed is left out", *WRONG, faults=("409 to a block",), count=8, loads=("parts", "plain"))
def _failed_block() -> None:
    from worker.blob.blocks import PartUpload

    stage = PartUpload._stage

    def staged(self: Any) -> None:
        stage(self)
        try:
            self._staged[-1].result()
        except Exception:  # noqa: BLE001
            self._staged.pop()
            self.block_ids.pop()

    PartUpload._stage = staged  # type: ignore[method-assign]


@plant("rows at a block's edge are dropped", *WRONG, loads=("plain",), requests=3)
def _block_edge() -> None:
    from worker.blob.blocks import PartUpload

    write = PartUpload.write

    def short(self: Any, data: Any) -> None:
        view = memoryview(data)
        room = len(self._buffer or b"") - self._filled
        write(self, view[: len(view) - 1000] if self._filled and room <= len(view) else view)

    PartUpload.write = short  # type: ignore[method-assign]


@plant("a bit of the compressed bytes flips", *WRONG)
def _bit_flips() -> None:
    from worker.blob.blocks import PartUpload

    write = PartUpload.write

    def flipped(self: Any, data: Any) -> None:
        changed = bytearray(data)
        changed[len(changed) // 2] ^= 1
        write(self, changed)

    PartUpload.write = flipped  # type: ignore[method-assign]


@plant("a second blob is left beside the first", "unasked blob")
def _second_blob() -> None:
    from worker.blob.sink import Sink, Upload

    upload, commit = Sink.upload, Upload.commit

    @contextmanager
    def beside(self: Any, name: str, replacing: Any) -> Iterator[Any]:
        self._container.get_blob_client(f"{name}.tmp").upload_blob(b"", overwrite=True)
        with upload(self, name, replacing) as opened:
            yield opened

    Sink.upload, Upload.commit = beside, commit  # type: ignore[method-assign]
