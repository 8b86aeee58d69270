"""The host's messages to the worker library: plain records with the fields of Microsoft's FunctionRpc.proto.

Each function gives the content of one StreamingMessage, with the fields that the real host sets and no others, except
for `retry_context`: protobuf reads an unset message as an empty one, and a record has to hold that.
"""

import secrets
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from emulators.functions_host.wire import HttpCall, Invocation, Typed

HOST_VERSION = "4.0.0"  # the major version decides; the worker library does not read it


def worker_init(app: Path, worker: Path) -> Any:
    """WorkerInitRequest: where the app and the worker library are."""
    return SimpleNamespace(
        host_version=HOST_VERSION, worker_directory=str(worker), function_app_directory=str(app), capabilities={}
    )


def functions_metadata(app: Path) -> Any:
    """FunctionsMetadataRequest: asks for the functions of the app."""
    return SimpleNamespace(function_app_directory=str(app))


def function_load(record: Any) -> Any:
    """FunctionLoadRequest for one RpcFunctionMetadata that the worker gave; its raw bindings stay with the host."""
    names = ("name", "directory", "entry_point", "script_file", "is_proxy", "bindings", "properties")
    metadata = SimpleNamespace(**{name: getattr(record, name) for name in names})
    return SimpleNamespace(function_id=record.function_id, metadata=metadata)


def invocation(call: Invocation, protos: Any) -> Any:
    """InvocationRequest for one call; `protos` holds the classes of ParameterBinding and TypedData."""
    trace_parent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
    return SimpleNamespace(
        invocation_id=call.id,
        function_id=call.function_id,
        input_data=[protos.ParameterBinding(name=call.parameter, data=_typed_data(call.value, protos))],
        trigger_metadata={key: _typed_data(value, protos) for key, value in call.metadata.items()},
        trace_context=SimpleNamespace(trace_parent=trace_parent, trace_state="", attributes={}),
        retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
    )


def _typed_data(value: Typed, protos: Any) -> Any:
    if value.kind is None:
        return protos.TypedData()
    content = value.content
    if isinstance(content, HttpCall):
        content = SimpleNamespace(**{**vars(content), "body": _typed_data(content.body, protos)})
    return protos.TypedData(**{value.kind: content})
