"""Azure Functions: HTTP GET /api/doctor, what the deployed app can reach and do."""

import json
import os

import azure.functions as func

blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@blueprint.route("doctor", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
def doctor(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001  # the host passes it
    """The findings as JSON: 200, or 503 where one of them failed."""
    # Its checks bring every SDK along, and most processes of the app never serve this function.
    from doctor.report import as_json, diagnose

    report = as_json(diagnose(os.environ))
    status = 503 if report["verdict"] == "failed" else 200
    return func.HttpResponse(json.dumps(report, indent=2), status_code=status, mimetype="application/json")
