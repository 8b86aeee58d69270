"""`$cbs`: accepts every token, because this broker checks no credentials."""

from emulators.service_bus.requests import Refused, Reply, Request


def handle(request: Request) -> Reply:
    """Accept a put-token. Neither the token nor its queue is checked: attaching to the queue does that."""
    if request.properties.get("operation") != "put-token":
        raise Refused(400, "amqp:not-implemented", "this node knows the operation put-token only")
    return Reply(202, "Accepted")
