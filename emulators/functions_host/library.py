"""Microsoft's Python worker library, driven the way its proxy worker drives it in Azure."""

import asyncio
import json
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import azure_functions_runtime as runtime
from azure_functions_runtime.version import VERSION

from emulators.functions_host import requests
from emulators.functions_host.stand_ins import Record, protos
from emulators.functions_host.wire import (
    HttpReply,
    IndexedFunction,
    Invocation,
    Loaded,
    LoadFailed,
    Outcome,
    Typed,
)


class LoadError(Exception):
    """The app could not be imported or indexed; `failure` holds the library's account of it."""

    def __init__(self, failure: LoadFailed) -> None:
        super().__init__(failure.error)
        self.failure = failure


class Library:
    """One function app inside the worker library. To be used on one event loop only: the main thread's."""

    def __init__(self) -> None:
        self._protos = protos()

    async def load(self, app: Path) -> Loaded:
        """Import and index the app; raise LoadError with the app's own traceback where that fails.

        It runs inside the loop and on the main thread, because that is where apps are imported in Azure.
        """
        runtime.start_threadpool_executor()
        await self._ask("worker_init_request", requests.worker_init(app, Path(runtime.__file__).parent))
        answer = await self._ask("functions_metadata_request", requests.functions_metadata(app))
        records = answer.function_metadata_results or ()
        for record in records:
            await self._ask("function_load_request", requests.function_load(record))
        threads = runtime.get_threadpool_executor()._max_workers  # noqa: SLF001  no public name has it
        return Loaded(tuple(_indexed(record) for record in records), VERSION, threads)

    async def invoke(self, call: Invocation) -> Outcome:
        """Run one invocation to its end; a failure of the function is an outcome, not an exception."""
        answer = await self._send("invocation_request", requests.invocation(call, self._protos))
        if failed := _failure(answer):
            return Outcome(call.id, error=failed.error, trace=failed.trace)
        return Outcome(call.id, reply=_reply(answer.return_value), outputs=_outputs(answer))

    async def _ask(self, verb: str, content: Any) -> Any:
        answer = await self._send(verb, content)
        if failed := _failure(answer):
            raise LoadError(failed)
        return answer

    async def _send(self, verb: str, content: Any) -> Any:
        properties = {"protos": self._protos, "host": "127.0.0.1"}
        streaming = SimpleNamespace(**{"request_id": str(uuid.uuid4()), verb: content})
        message = SimpleNamespace(name=verb, request=streaming, properties=properties)
        return await getattr(runtime, verb)(message)


def new_loop() -> asyncio.AbstractEventLoop:
    """Make the loop of the main thread; the library looks it up as the current one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def _failure(answer: Any) -> LoadFailed | None:
    if answer.result.status == type(answer.result).Success:
        return None
    return LoadFailed(answer.result.exception.message, answer.result.exception.stack_trace)


def _indexed(record: Any) -> IndexedFunction:
    bindings = tuple(json.loads(binding) for binding in record.raw_bindings)
    return IndexedFunction(record.name, record.function_id, bindings)


def _outputs(answer: Any) -> dict[str, Typed]:
    """Give the values for output bindings: those that were set, and text or bytes that were returned."""
    values = {binding.name: binding.data for binding in answer.output_data}
    values["$return"] = answer.return_value
    return {name: Typed(kind, getattr(value, kind)) for name, value in values.items() if (kind := _text_kind(value))}


def _text_kind(value: Record | None) -> Literal["string", "bytes"] | None:
    match value.WhichOneof("data") if value is not None else None:
        case "string":
            return "string"
        case "bytes":
            return "bytes"
        case _:
            return None


def _reply(value: Record | None) -> HttpReply | None:
    """Give what an HTTP function returned: a response, or text as the body of one."""
    match value.WhichOneof("data") if value is not None else None:
        case "http":
            http = value.http  # type: ignore[union-attr]
            return HttpReply(int(http.status_code), dict(http.headers), http.body.bytes)
        case "string":
            text = value.string  # type: ignore[union-attr]
            return HttpReply(200, {"content-type": "text/plain; charset=utf-8"}, text.encode())
        case _:
            return None
