"""Azure Functions: the Service Bus queue trigger."""

import azure.functions as func
from azurefunctions.extensions.bindings.servicebus import ServiceBusMessageActions

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@blueprint.service_bus_queue_trigger(
    arg_name="message", queue_name="%TAILRACE_QUEUE%", connection="ServiceBusConnection", data_type=func.DataType.BINARY
)
def export(message: func.ServiceBusMessage, actions: ServiceBusMessageActions, context: func.Context) -> None:
    """One message of the queue → one export, completed, retried later or dead-lettered with its reason."""
    # It brings psycopg along, and processes that serve the app's other functions never export.
    from worker.host import deliver

    deliver(message, actions, context)
