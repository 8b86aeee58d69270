"""Settles each message as its body says for that attempt, by the settler of the real app."""

import os

import azure.functions as func
from azurefunctions.extensions.bindings.servicebus import ServiceBusMessageActions
from plan import settlement_of

from contracts.message import attempt_of
from settings import Settings
from worker.host import HostSettler
from worker.message.delivery import Delivery
from worker.message.retry import RetryQueue
from worker.message.settle import settle

app = func.FunctionApp()


@app.service_bus_queue_trigger(
    arg_name="message", queue_name="%TAILRACE_QUEUE%", connection="ServiceBusConnection", data_type=func.DataType.BINARY
)
def settling(message: func.ServiceBusMessage, actions: ServiceBusMessageActions) -> None:
    attempt = attempt_of(message.application_properties, redeliveries=(message.delivery_count or 1) - 1)
    delivery = Delivery(message.get_body(), message.message_id or "", message.sequence_number or 0, attempt)
    settler = HostSettler(message, actions, delivery, RetryQueue(Settings.from_env(os.environ)))
    settle(settler, settlement_of(delivery.body, attempt))
