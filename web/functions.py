"""Azure Functions: the API and the page under /api. The app behind them is imported at the first call."""

import os
from functools import cache
from typing import Literal

import azure.functions as func

from settings import Settings
from telemetry.traces import origin_of, span

type Auth = Literal["key", "entra"]


def blueprint(auth: Auth) -> func.Blueprint:
    """The HTTP functions. By `key` the host checks a function key; by `entra` App Service signs people in.

    The page itself holds no data, so that everybody may load it: it asks for the key.
    """
    made = func.Blueprint()  # type: ignore[no-untyped-call]
    level = func.AuthLevel.FUNCTION if auth == "key" else func.AuthLevel.ANONYMOUS

    @made.route("ui", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    async def page(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        """The page."""
        return await _answer(auth, req, context)

    @made.route("exports", methods=["POST"], auth_level=level)
    async def submit(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        """Ask for one export. A function of its own, so that alerts and the workbook can name it."""
        with span("enqueue one", origin=origin_of(context)):
            return await _answer(auth, req, context)

    @made.route("{*path}", methods=["GET", "POST"], auth_level=level)
    async def api(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        """Every call of the API."""
        return await _answer(auth, req, context)

    return made


async def _answer(auth: Auth, req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    answer: func.HttpResponse = await _app(auth).handle_async(req, context)
    return answer


@cache
def _app(auth: Auth) -> func.AsgiMiddleware:
    # Imported here: FastAPI takes longer than all that most processes of the app ever need.
    from web.api.app import create_app
    from web.api.guard import with_function_key, with_sign_in

    access = (with_function_key if auth == "key" else with_sign_in)(os.environ)
    return func.AsgiMiddleware(create_app(Settings.from_env(os.environ), access))  # type: ignore[no-untyped-call]
