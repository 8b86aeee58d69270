"""One request that a person asks for: {"job": …, "window_start": …} in JSON."""

import json
from datetime import datetime
from typing import NamedTuple

from pydantic import ValidationError

from contracts.errors import ConfigurationError, QueueUnavailable, SinkRejected, SinkUnavailable, TailraceError
from contracts.jobs_file import load_jobs
from contracts.model import JobName, Model, describe
from producer.ask import AskRefused, job_named, one_request
from producer.asking import State
from producer.enqueue import ask, send_asked
from producer.queue import ExportQueue
from producer.store import BlobIndex
from settings import Settings

# What the answer calls a state.
STATUS: dict[State, str] = {
    "send": "sent",
    "there": "already-there",
    "foreign": "foreign-blob",
    "alive": "under-way",
    "dead": "dead",
    "postponed": "dead",
    "held": "sent",
    "paused": "paused",
}


class Ask(Model):
    """What the HTTP body holds; a job without windows takes no window_start."""

    job: JobName
    window_start: str | None = None


class Answer(NamedTuple):
    """An HTTP status and a JSON body."""

    status: int
    body: str


def submit_over_http(body: bytes, settings: Settings, now: datetime) -> Answer:
    """Sends the request that the body asks for, if it needs sending.

    202 if it was sent, 200 if it is on the queue or its blob exists, 409 if it is dead, if its job is paused or if
    another blob has its name: each with `status` and the request; 400 or 503 with `error`, and `advice` if any.
    """
    try:
        asked = Ask.model_validate_json(body)
        jobs = load_jobs(settings.jobs)
        request = one_request(job_named(jobs, asked.job), asked.window_start, now)
        with ExportQueue(settings) as queue:
            (found,) = ask([request], jobs, BlobIndex(settings), queue, now)
            send_asked([found], queue, now)
    except ValidationError as error:
        return _answer(400, error=f'the body must be {{"job": …, "window_start": …}}: {describe(error)}')
    except AskRefused as error:
        return _refusal(400, error)
    except (QueueUnavailable, ConfigurationError, SinkRejected, SinkUnavailable) as error:
        return _refusal(503, error)
    status = STATUS[found.state]
    code = {"sent": 202, "already-there": 200, "under-way": 200}.get(status, 409)
    sent = request.model_dump(mode="json", exclude_none=True)
    return _answer(code, status=status, **({"reason": found.reason} if found.reason else {}), **sent)


def _refusal(code: int, error: TailraceError) -> Answer:
    return _answer(code, error=str(error), **({"advice": error.advice} if error.advice else {}))


def _answer(code: int, **fields: object) -> Answer:
    return Answer(code, json.dumps(fields, ensure_ascii=False))
