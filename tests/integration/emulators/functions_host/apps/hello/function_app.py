"""An app for HTTP, after Microsoft's Python quickstart: it greets by name."""

import logging

import azure.functions as func

logger = logging.getLogger("app")
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="HttpExample")
def http_example(req: func.HttpRequest) -> func.HttpResponse:
    logger.info("A request for %s", req.url)
    name = req.params.get("name")
    if not name:
        try:
            name = req.get_json().get("name")
        except ValueError:
            return func.HttpResponse("Say who you are: ?name=, or a JSON body.", status_code=400)
    return func.HttpResponse(f"Hello, {name}.")
