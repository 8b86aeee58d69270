"""Records with the attributes of the Functions protobuf messages: all that the worker library asks of its `protos`.

The library never imports protobuf. It reads plain attributes off a request and builds its answers from the classes
it is handed, so a record of keyword arguments does for each of them.
"""

from types import SimpleNamespace
from typing import Any

_MESSAGES = (
    "BindingInfo FunctionEnvironmentReloadResponse FunctionLoadResponse FunctionMetadataResponse InvocationResponse "
    "NullableBool NullableDouble NullableString NullableTimestamp ParameterBinding RpcException RpcFunctionMetadata "
    "RpcHttp RpcHttpCookie RpcRetryOptions StatusResult Timestamp TypedData WorkerInitResponse WorkerMetadata"
)


class Record:
    """A message of the protocol: its fields are the keyword arguments it was made with."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{type(self).__name__} was made without {name}")

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802  protobuf's own spelling
        """Name the one field that was given, beside the name of a parameter."""
        return next((field for field in self.__dict__ if field != "name"), None)


def protos() -> Any:
    """Make the namespace that worker_init_request wants, with the constants of the protocol's enumerations."""
    made: Any = SimpleNamespace(**{name: type(name, (Record,), {}) for name in _MESSAGES.split()})
    made.BindingInfo.out, made.BindingInfo.inout, made.BindingInfo.undefined = 1, 2, 0
    made.StatusResult.Failure, made.StatusResult.Success = 0, 1
    made.RpcHttpCookie.SameSite = SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})
    return made
