"""An app for Service Bus, after Microsoft's samples: a request becomes a message, a message another, a timer many."""

import json
import logging

import azure.functions as func

logger = logging.getLogger("app")
app = func.FunctionApp()


@app.function_name(name="TakeOrder")
@app.route(route="orders", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@app.service_bus_queue_output(arg_name="message", connection="Orders", queue_name="%INBOX%")
def take_order(req: func.HttpRequest, message: func.Out[str]) -> func.HttpResponse:
    message.set(req.get_body().decode())
    return func.HttpResponse("queued", status_code=202)


@app.function_name(name="PriceOrder")
@app.service_bus_queue_trigger(arg_name="msg", connection="Orders", queue_name="%INBOX%")
@app.service_bus_queue_output(arg_name="$return", connection="Orders", queue_name="%PRICED%")
def price_order(msg: func.ServiceBusMessage) -> str:
    order = json.loads(msg.get_body())
    logger.info("Pricing order %s, attempt %s", order["id"], msg.delivery_count)
    return json.dumps({"id": order["id"], "price": 3 * order["pieces"]})


@app.function_name(name="Remind")
@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer", run_on_startup=True, use_monitor=False)
@app.service_bus_queue_output(arg_name="reminders", connection="Orders", queue_name="%REMINDERS%")
async def remind(timer: func.TimerRequest, reminders: func.Out[str]) -> None:
    reminders.set(json.dumps([{"of": "stock"}, "late" if timer.past_due else "in time"]))
