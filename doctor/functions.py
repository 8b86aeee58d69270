"""Azure Functions: HTTP GET /api/doctor, the checks from inside the deployed app."""

import json
import os

import azure.functions as func

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@blueprint.route("doctor", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
def doctor(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001  # the host passes it
    """The findings as JSON: 200, or 503 if one of them failed."""
    # Imported here: the checks import every SDK, and most processes of the app never serve this function.
    from doctor.report import as_json, diagnose

    report = as_json(diagnose(os.environ))
    status = 503 if report["verdict"] == "failed" else 200
    return func.HttpResponse(json.dumps(report, indent=2), status_code=status, mimetype="application/json")
