"""The gRPC service Settlement, through which ServiceBusMessageActions settles messages inside a function."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, override

import grpc
from azurefunctions.extensions.bindings.protos import settlement_pb2_grpc
from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]

from emulators.functions_host.delivery import Delivery
from emulators.functions_host.journal import event

ANSWER_TIMEOUT_S = 90.0  # the SDK waits 60 s for the outcome of a settlement


class Deliveries:
    """The deliveries whose functions are running, by lock token."""

    def __init__(self) -> None:
        self._by_token: dict[str, Delivery] = {}

    def add(self, delivery: Delivery) -> None:
        """Let a delivery be settled by its lock token."""
        self._by_token[delivery.lock_token] = delivery

    def remove(self, delivery: Delivery) -> None:
        """End that; the token is unknown from now on, in the words of the real host."""
        self._by_token.pop(delivery.lock_token, None)
        delivery.refuse_what_is_left(LookupError(_unknown(delivery.lock_token)))

    def find(self, lock_token: str) -> Delivery:
        """Give the delivery of a lock token. Raises LookupError."""
        try:
            return self._by_token[lock_token]
        except KeyError:
            raise LookupError(_unknown(lock_token)) from None


class _Settlement(settlement_pb2_grpc.SettlementServicer):  # type: ignore[misc]
    """Carries each request out on the receiver of its message. Sessions are not offered: UNIMPLEMENTED."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries

    def Complete(self, request: Any, context: Any) -> Empty:  # noqa: N802
        return self._settle("complete", request, context, lambda receiver, message: receiver.complete_message(message))

    def Abandon(self, request: Any, context: Any) -> Empty:  # noqa: N802
        return self._settle("abandon", request, context, lambda receiver, message: receiver.abandon_message(message))

    def Defer(self, request: Any, context: Any) -> Empty:  # noqa: N802
        return self._settle("defer", request, context, lambda receiver, message: receiver.defer_message(message))

    def Deadletter(self, request: Any, context: Any) -> Empty:  # noqa: N802
        reason = request.deadletterReason.value if request.HasField("deadletterReason") else None
        described = request.HasField("deadletterErrorDescription")
        description = request.deadletterErrorDescription.value if described else None

        def deadletter(receiver: Any, message: Any) -> None:
            receiver.dead_letter_message(message, reason=reason, error_description=description)

        return self._settle("deadletter", request, context, deadletter)

    def RenewMessageLock(self, request: Any, context: Any) -> Empty:  # noqa: N802
        return self._carry_out(request, context, Delivery.renew)

    def _settle(self, verb: str, request: Any, context: Any, action: Callable[[Any, Any], None]) -> Empty:
        if request.propertiesToModify if verb != "complete" else b"":
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "This local host cannot modify properties of a message.")
        answer = self._carry_out(request, context, lambda delivery: delivery.settle(action))
        event("info", "message.settled", by="function", how=verb, lock_token=request.locktoken)
        return answer

    def _carry_out(self, request: Any, context: Any, ask: Callable[[Delivery], Future[None]]) -> Empty:
        try:
            ask(self._deliveries.find(request.locktoken)).result(ANSWER_TIMEOUT_S)
        except LookupError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except Exception as error:  # noqa: BLE001  whatever the broker said is the answer, as in the real host
            context.abort(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}")
        return Empty()


class _Absent(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers as hosts do whose Service Bus extension has not registered the service."""

    @override
    def service(self, handler_call_details: Any) -> Any:
        refuse = partial(_refuse, "Service is unimplemented.")
        return grpc.unary_unary_rpc_method_handler(refuse)


def serve(deliveries: Deliveries | None, calls: int) -> tuple[Any, int]:
    """Start the gRPC server on a free port of 127.0.0.1; give the server, which has `stop(grace_s)`, and the port.

    deliveries: what can be settled; None to leave the service out, as some real hosts do.
    calls: how many functions may settle at once.
    """
    server = grpc.server(ThreadPoolExecutor(max_workers=calls, thread_name_prefix="settlement"))
    if deliveries is None:
        server.add_generic_rpc_handlers((_Absent(),))
    else:
        settlement_pb2_grpc.add_SettlementServicer_to_server(_Settlement(deliveries), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def _refuse(why: str, _request: Any, context: Any) -> None:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, why)


def _unknown(lock_token: str) -> str:
    return f"LockToken {lock_token} not found."
