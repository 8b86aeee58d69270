"""The host's messages beside those of Microsoft's host, as protocol.json describes them; it names their sources."""

import datetime as dt
import json
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue

from emulators.functions_host import requests
from emulators.functions_host.app import Function
from emulators.functions_host.http_server import Site
from emulators.functions_host.message import body_of, metadata_of
from emulators.functions_host.stand_ins import protos
from emulators.functions_host.timer import TimerTrigger
from emulators.functions_host.wire import Invocation, Outcome, typed

RECORDED = json.loads(Path(__file__).with_name("protocol.json").read_text())
PROTOS = protos()
PLAIN = {"string": str, "bytes": bytes, "bool": bool, "int": int, "double": float}
BINDING = PROTOS.BindingInfo(type="httpTrigger", direction=0, data_type=0, properties={})
INDEXED = PROTOS.RpcFunctionMetadata(
    name="hello",
    function_id="f-1",
    managed_dependency_enabled=False,
    directory="/app",
    script_file="function_app.py",
    entry_point="hello",
    is_proxy=False,
    language="python",
    bindings={"req": BINDING},
    raw_bindings=["{}"],
    retry_options=None,
    properties={"worker_indexed": "True"},
)


class Noted:
    """In the place of the worker: it notes the calls."""

    def __init__(self) -> None:
        self.seen: list[Invocation] = []

    def invoke(self, _name: str, call: Invocation, **_details: object) -> Future[Outcome]:
        self.seen.append(call)
        outcome: Future[Outcome] = Future()
        outcome.set_result(Outcome(call.id))
        return outcome


def function(kind: str, **options: object) -> Function:
    trigger = {"name": "given", "type": kind, **options}
    return Function("hello", "f-1", trigger, (trigger,))


def http_call() -> Invocation:
    calls: Any = Noted()
    site = Site([function("httpTrigger", route="greet/{name}")], [], calls, "api")
    site.answer("POST", "/api/greet/ann?loud=1&loud=2&empty=", {"host": "localhost", "x-sent": "a"}, b"body")
    return calls.seen[0]


def timer_call() -> Invocation:
    calls: Any = Noted()
    TimerTrigger(function("timerTrigger", schedule="0 */5 * * * *"), calls, {}).fire("test")
    return calls.seen[0]


MESSAGES = {
    "WorkerInitRequest": lambda: requests.worker_init(Path("/app"), Path("/worker")),
    "FunctionsMetadataRequest": lambda: requests.functions_metadata(Path("/app")),
    "FunctionLoadRequest": lambda: requests.function_load(INDEXED),
    "RpcFunctionMetadata": lambda: requests.function_load(INDEXED).metadata,
    "InvocationRequest": lambda: requests.invocation(timer_call(), PROTOS),
    "RpcHttp": lambda: requests.invocation(http_call(), PROTOS).input_data[0].data.http,
}


def check(kind: str, value: Any, where: str) -> None:
    """Fail unless a value is of a kind of protocol.json, fields of fields included."""
    form, _, inner = kind.partition(" ")
    match form:
        case "map":
            assert isinstance(value, Mapping), where
            for key, one in value.items():
                assert isinstance(key, str), where
                check(inner, one, f"{where}[{key}]")
        case "list":
            for number, one in enumerate(value):
                check(inner, one, f"{where}[{number}]")
        case _ if form in PLAIN:
            assert type(value) is PLAIN[form], f"{where} is {value!r}, not a {form}"
        case _:
            for name, one in vars(value).items() if value is not None else ():
                assert name in RECORDED["types"][form], f"{where}: {form} has no field {name}"
                check(RECORDED["types"][form][name], one, f"{where}.{name}")


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_sets_the_fields_that_the_real_host_sets_with_the_protocols_types(name: str) -> None:
    message = MESSAGES[name]()
    check(name, message, name)
    assert set(vars(message)) == set(RECORDED["sent"][name])


def test_a_request_is_passed_with_lower_case_headers_and_joined_parameters() -> None:
    request = requests.invocation(http_call(), PROTOS)
    check("InvocationRequest", request, "InvocationRequest")
    http = request.input_data[0].data.http
    assert (http.method, http.url) == ("POST", "http://localhost/api/greet/ann?loud=1&loud=2&empty=")
    assert (http.headers, http.params, http.query) == (
        {"host": "localhost", "x-sent": "a"},
        {"name": "ann"},
        {"loud": "1,2"},
    )
    assert http.body.bytes == b"body"
    assert {key: kind(value) for key, value in request.trigger_metadata.items()} == {
        "Query": "json",
        "Headers": "json",
        "name": "string",
    }


def test_a_timer_is_passed_as_timer_info() -> None:
    request = requests.invocation(timer_call(), PROTOS)
    info = json.loads(request.input_data[0].data.json)
    assert {key: list(value) if isinstance(value, dict) else None for key, value in info.items()} == {
        key: names and sorted(names, key=list(info[key]).index) for key, names in RECORDED["timer"].items()
    }
    assert dt.datetime.fromisoformat(info["ScheduleStatus"]["Next"]) > dt.datetime.now(dt.UTC)


def test_a_message_is_passed_with_the_trigger_metadata_of_the_service_bus_extension(queue: Any) -> None:
    sent = ServiceBusMessage(
        b"x",
        message_id="m-1",
        correlation_id="c-1",
        content_type="text/plain",
        subject="about",
        to="to",
        reply_to="from",
        session_id="s-1",
        reply_to_session_id="s-2",
        partition_key="s-1",
        time_to_live=dt.timedelta(hours=1),
        application_properties={"tries": 2},
    )
    with ServiceBusClient.from_connection_string(queue.connection_string) as client:
        with client.get_queue_sender(queue.name) as sender:
            sender.send_messages(sent)
        with client.get_queue_receiver(queue.name) as receiver:
            message = next(receiver)
    metadata = metadata_of(message, body_of(message, "binary"))
    request = requests.invocation(Invocation("f-1", "given", typed(b"x"), metadata), PROTOS)
    check("InvocationRequest", request, "InvocationRequest")
    own = {key: value for key, value in RECORDED["service_bus"].items() if key != "DeadLetterSource"}
    assert {key: kind(value) for key, value in request.trigger_metadata.items()} == own
    assert json.loads(request.trigger_metadata["DeliveryCount"].json) == message.delivery_count + 1


def test_a_message_without_a_time_to_live_never_expires_for_its_function(queue: Any) -> None:
    queue.send({"do": "succeed"})
    with ServiceBusClient.from_connection_string(queue.connection_string) as client:
        with client.get_queue_receiver(queue.name) as receiver:
            receiver.dead_letter_message(next(receiver))
        with client.get_queue_receiver(queue.name, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
            message = next(receiver)
    metadata = metadata_of(message, body_of(message, "binary"))
    assert json.loads(str(metadata["ExpiresAtUtc"].content)).startswith("9999-12-31T23:59:59.999")


def test_what_the_library_asks_of_its_records_is_in_the_protocol() -> None:
    answered = SimpleNamespace(**vars(INDEXED))
    del answered.retry_options  # the worker sets it for the host, which does not send it back
    check("RpcFunctionMetadata", answered, "RpcFunctionMetadata")


def kind(value: Any) -> str:
    return next(iter(vars(value)))
