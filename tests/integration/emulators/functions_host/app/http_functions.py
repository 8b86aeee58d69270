import json
import logging
import os
import sys
import threading
from pathlib import Path

import azure.functions as func

IMPORTED_ON = threading.current_thread().name
blueprint = func.Blueprint()


@blueprint.route(route="echo/{place}/{number:int?}", methods=["GET", "POST"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    seen = {
        "method": req.method,
        "url": req.url,
        "params": dict(req.params),
        "route": dict(req.route_params),
        "header": req.headers.get("X-Sent"),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(json.dumps(seen), status_code=201, mimetype="application/json", headers={"X-Seen": "yes"})


@blueprint.route(methods=["GET"])
async def process(req: func.HttpRequest) -> str:
    seen = {
        "pid": os.getpid(),
        "host_pid": os.getppid(),
        "folder": str(Path.cwd()),
        "imported_on": IMPORTED_ON,
        "argv": sys.argv,
        "setting": os.environ.get(req.params.get("setting", ""), ""),
    }
    return json.dumps(seen)


@blueprint.route(methods=["POST"])
def log(req: func.HttpRequest) -> func.HttpResponse:
    logging.getLogger("app").warning("a line of the app's own: %s", req.get_body().decode())
    return func.HttpResponse(status_code=204)


@blueprint.route(methods=["GET"])
def fail(req: func.HttpRequest) -> str:
    raise ValueError("this function always fails")


@blueprint.route(methods=["POST"])
def end_process(req: func.HttpRequest) -> str:
    os._exit(7)
