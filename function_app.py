"""The app that Azure loads: registers the triggers of the rooms, nothing else."""

import os

import azure.functions as func

import doctor.functions
import operations.functions
import producer.functions
import web.functions
import worker.functions
from contracts.jobs_file import load_jobs
from settings import Settings
from telemetry.events import quiet_sdks

# Settings or jobs that cannot be used stop the app here, before any message is taken from the queue.
settings = Settings.from_env(os.environ)
load_jobs(settings.jobs)

quiet_sdks()
app = func.FunctionApp()
app.register_functions(producer.functions.blueprint)
app.register_functions(worker.functions.blueprint)
if settings.audit is not None:
    app.register_functions(operations.functions.audits)
if settings.drill is not None:
    app.register_functions(operations.functions.drills)
app.register_functions(doctor.functions.blueprint)
app.register_functions(web.functions.blueprint(settings.http_auth))
