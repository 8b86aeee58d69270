"""Errors as JSON: what failed and why, and what to do next. No traceback leaves the process."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from contracts.errors import TailraceError
from producer.ask import AskRefused
from telemetry.events import event
from telemetry.secrets import without_secrets

_CODE = "code"  # Azure Functions' name of a key in a query

_log = logging.getLogger(__name__)


def answer_faults(app: FastAPI) -> None:
    """Makes every error of a call an answer with `error` and, if anything helps, `advice`."""
    app.add_exception_handler(TailraceError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def fault(status: int, error: str, advice: str | None = None) -> JSONResponse:
    """An answer that refuses."""
    content = {"error": without_secrets(error), **({"advice": without_secrets(advice)} if advice else {})}
    return JSONResponse(content, status)


def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TailraceError)
    return fault(400 if isinstance(error, AskRefused) else 503, str(error), error.advice)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [_problem(one) for one in error.errors()[:5]]
    return fault(400, "; ".join(problems), "/api/openapi.json describes what a call takes")


def _problem(one: dict[str, Any]) -> str:
    """One thing that is wrong with a call."""
    if one["type"] == "json_invalid":
        return f"the body is no JSON: {one['ctx']['error']} at character {one['loc'][-1]}"
    if one["loc"] == ("body",):
        return "the body must be a JSON object, sent as application/json"
    return f"{'.'.join(map(str, one['loc']))[:100]}: {one['msg']}"


def refuse_unknown(call: Request) -> None:
    """Raises AskRefused if the query of a call has a name that the call does not know, such as a misspelt one."""
    known = {_CODE, *(one.alias for one in call.scope["route"].dependant.query_params)}
    if unknown := [name for name in call.query_params if name not in known]:
        names = ", ".join(sorted(known - {_CODE})) or "nothing"
        raise AskRefused(f"the query has an unknown {unknown[0][:60]!r}", advice=f"this call knows {names}")


def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    response = fault(error.status_code, str(error.detail).lower(), "/api/openapi.json lists all calls")
    response.headers.update(error.headers or {})
    return response


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    event(_log, logging.ERROR, "call failed", path=request.url.path, error=f"{type(error).__name__}: {error}")
    return fault(500, "a fault of Tailrace itself", "its log names it")
