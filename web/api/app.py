"""The API and its page as one ASGI app."""

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.types import ASGIApp

from settings import Settings
from web.api import acting, reading, steering
from web.api.faults import answer_faults, refuse_unknown
from web.api.guard import Access, Guard, Limits
from web.api.looks import Looks
from web.api.shapes import Fault
from web.page import page

_REFUSALS = {
    400: "the call is wrong",
    401: "the key is missing or wrong",
    403: "a browser's call for another site",
    409: "it is dead, or another blob has its name",
    413: "the body is too large",
    421: "another host's name",
    429: "too many calls",
    500: "a fault of Tailrace",
    503: "storage, the queue, the server or the deployment cannot serve it now",
}


def create_app(
    settings: Settings, access: Access, hosts: frozenset[str] | None = None, limits: Limits | None = None
) -> ASGIApp:
    """The app that serves /api; `access` says who may call, `hosts` by which names (None: by any)."""
    app = FastAPI(
        title="Tailrace", summary="What is exported, missing, running and dead, and what to do about it.",
        openapi_url="/api/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False,
        responses={status: {"model": Fault, "description": why} for status, why in _REFUSALS.items()},
    )  # fmt: skip
    app.state.looks = Looks(settings)
    for router in (reading.router, acting.router, steering.router):
        app.include_router(router, prefix="/api", dependencies=[Depends(refuse_unknown)])

    @app.get("/api/ui", include_in_schema=False)
    async def ui(call: Request) -> Response:
        whole = page()
        headers = {"content-security-policy": whole.policy, "vary": "accept-encoding"}
        if "gzip" not in call.headers.get("accept-encoding", ""):
            return HTMLResponse(whole.html, headers=headers)
        return HTMLResponse(whole.packed, headers={**headers, "content-encoding": "gzip"})

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/api/ui")

    answer_faults(app)
    return Guard(app, access, limits or Limits(), hosts)
