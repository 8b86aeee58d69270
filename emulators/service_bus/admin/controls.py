"""`/$emulator/…`: controls of the emulator as JSON, for tests in any language."""

import json
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emulators.service_bus.admin.http import Answer, Request
from emulators.service_bus.config import first_problem
from emulators.service_bus.control import Control, Fault, UnknownNode

type Result = dict[str, Any]


class FaultBody(BaseModel):
    """The fault of the next settlements of a queue."""

    model_config = ConfigDict(extra="forbid")

    fault: Fault
    times: int = Field(default=1, ge=1)
    delay_ms: int = Field(default=0, ge=0)


def answer(control: Control, request: Request, path: tuple[str, ...]) -> Answer:
    """Carry out a control; the path is what follows `$emulator`."""
    of_queue = _OF_QUEUE.get((request.method, *path[2:])) if path[:1] == ("queues",) and len(path) > 1 else None
    of_all = _OF_ALL.get((request.method, *path))
    try:
        if of_queue is not None:
            return _json(of_queue(control, path[1], request.body))
        if of_all is not None:
            return _json(of_all(control))
    except UnknownNode as error:
        return _json({"error": str(error)}, HTTPStatus.NOT_FOUND)
    except ValidationError as error:
        return _json({"error": first_problem(error, "the body")}, HTTPStatus.BAD_REQUEST)
    return _json({"error": f"there is no control {request.method} /$emulator/{'/'.join(path)}"}, HTTPStatus.NOT_FOUND)


def _fail_settlements(control: Control, name: str, raw: bytes) -> Result:
    body = FaultBody.model_validate_json(raw)
    control.fail_settlements(name, body.fault, times=body.times, delay_ms=body.delay_ms)
    return {"planned": body.times}


def _clear_faults(control: Control) -> Result:
    control.clear_faults()
    return {}


_OF_QUEUE: dict[tuple[str, ...], Callable[[Control, str, bytes], Result]] = {
    ("GET",): lambda control, name, _: asdict(control.queue(name).counts),
    ("DELETE", "messages"): lambda control, name, _: {"purged": control.purge(name)},
    ("POST", "expire-locks"): lambda control, name, _: {"expired": control.expire_locks(name)},
    ("POST", "detach-links"): lambda control, name, _: {"detached": control.detach_links(name)},
    ("POST", "settlement-faults"): _fail_settlements,
}
_OF_ALL: dict[tuple[str, ...], Callable[[Control], Result]] = {
    ("GET", "queues"): lambda control: {queue.name: asdict(queue.counts) for queue in control.queues()},
    ("POST", "detach-links"): lambda control: {"detached": control.detach_links()},
    ("POST", "drop-connections"): lambda control: {"dropped": control.drop_connections()},
    ("DELETE", "settlement-faults"): _clear_faults,
}


def _json(body: Result, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(status, json.dumps(body))
