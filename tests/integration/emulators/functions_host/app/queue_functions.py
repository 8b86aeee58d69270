"""Functions that do what the message says: {"do": …}."""

import json
import os
import subprocess
import time
from pathlib import Path

import azure.functions as func
from azurefunctions.extensions.bindings.servicebus import ServiceBusMessageActions
from azurefunctions.extensions.bindings.servicebus.serviceBusMessageActions import SettlementError
from record import record

blueprint = func.Blueprint()
kept: list[func.ServiceBusMessage] = []


@blueprint.service_bus_queue_trigger(
    arg_name="message", connection="ServiceBusConnection", queue_name="%QUEUE%", data_type="binary"
)
def work(message: func.ServiceBusMessage, actions: ServiceBusMessageActions) -> None:
    order = json.loads(message.get_body())
    record(
        function="work",
        pid=os.getpid(),
        attempt=message.delivery_count,
        message_id=message.message_id,
        lock_token=message.lock_token,
        properties=message.application_properties,
        correlation_id=message.correlation_id,
        enqueued=message.enqueued_time_utc,
        locked_until=message.locked_until,
        metadata=sorted(message.metadata or {}),
    )
    STEPS[order["do"]](order, message, actions)


def succeed(*_: object) -> None:
    return


def fail_first(_order: dict[str, str], message: func.ServiceBusMessage, _actions: ServiceBusMessageActions) -> None:
    if message.delivery_count == 1:
        raise ValueError("the first attempt fails")


def dead_letter(_order: dict[str, str], message: func.ServiceBusMessage, actions: ServiceBusMessageActions) -> None:
    actions.deadletter(message, "NoSuchTable", "the table orders is gone")


def settle(order: dict[str, str], message: func.ServiceBusMessage, actions: ServiceBusMessageActions) -> None:
    for how in order["how"].split(","):
        try:
            getattr(actions, how)(message)
            record(function="settled", how=how, attempt=message.delivery_count)
        except SettlementError as error:
            record(function="refused", how=how, error=str(error), attempt=message.delivery_count)


def settle_an_earlier_one(
    _order: dict[str, str], message: func.ServiceBusMessage, actions: ServiceBusMessageActions
) -> None:
    if kept:
        try:
            actions.complete(kept[0])
        except SettlementError as error:
            record(function="refused", error=str(error))
    kept.append(message)


def wait(order: dict[str, str], message: func.ServiceBusMessage, _actions: ServiceBusMessageActions) -> None:
    """Wait for the test to make a file; the first attempt only."""
    try:
        while message.delivery_count == 1 and not Path(order["for"]).exists():
            time.sleep(0.02)
        record(function="waited", attempt=message.delivery_count)
    finally:
        record(function="finally", attempt=message.delivery_count)


def start_a_child(order: dict[str, str], message: func.ServiceBusMessage, actions: ServiceBusMessageActions) -> None:
    child = subprocess.Popen(["sleep", "600"])
    record(function="child", pid=child.pid)
    wait(order, message, actions)


def end_process(_order: dict[str, str], message: func.ServiceBusMessage, _actions: ServiceBusMessageActions) -> None:
    if message.delivery_count == 1:
        os._exit(3)


STEPS = {
    step.__name__: step
    for step in (succeed, fail_first, dead_letter, settle, settle_an_earlier_one, wait, start_a_child, end_process)
}


@blueprint.service_bus_queue_trigger(arg_name="message", connection="ServiceBusConnection", queue_name="%NOTES%")
async def note(message: func.ServiceBusMessage) -> None:
    record(
        function="note",
        body=message.get_body().decode(),
        attempt=message.delivery_count,
        message_id=message.message_id,
        lock_token=message.lock_token,
    )
