"""One request asked for by hand: {"job": …, "window_start": …} in JSON."""

import json
from datetime import datetime
from typing import NamedTuple

from pydantic import ValidationError

from contracts.errors import ConfigurationError, QueueUnavailable
from contracts.jobs_file import load_jobs
from contracts.model import JobName, Model, describe
from producer.ask import AskRefused, job_named, one_request
from producer.queue import ExportQueue
from settings import Settings


class Ask(Model):
    """What the HTTP body holds; a job without windows takes no window_start."""

    job: JobName
    window_start: str | None = None


class Answer(NamedTuple):
    """An HTTP status and a JSON body."""

    status: int
    body: str


def submit_over_http(body: bytes, settings: Settings, now: datetime) -> Answer:
    """Sends the request that the body asks for. 202 with the request, 400 or 503 with `error`."""
    try:
        ask = Ask.model_validate_json(body)
        request = one_request(job_named(load_jobs(settings.jobs), ask.job), ask.window_start, now)
        with ExportQueue(settings) as queue:
            queue.send([request])
    except ValidationError as error:
        return Answer(
            400, json.dumps({"error": f'the body must be {{"job": …, "window_start": …}}: {describe(error)}'})
        )
    except AskRefused as error:
        return Answer(400, json.dumps({"error": error.explained}))
    except (QueueUnavailable, ConfigurationError) as error:
        return Answer(503, json.dumps({"error": error.explained}))
    return Answer(202, request.model_dump_json(exclude_none=True))
