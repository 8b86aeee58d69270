"""A function app for the tests of the local host: one blueprint for each kind of trigger."""

import azure.functions as func
import http_functions
import queue_functions
import timer_functions

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
for blueprint in (http_functions.blueprint, queue_functions.blueprint, timer_functions.blueprint):
    app.register_functions(blueprint)
