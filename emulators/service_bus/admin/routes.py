"""A request to the admin port → its answer."""

from http import HTTPStatus
from urllib.parse import quote

from emulators.service_bus.admin import atom, controls
from emulators.service_bus.admin.http import Answer, Request
from emulators.service_bus.control import Conflict, Control, Description, UnknownNode

XML = "application/atom+xml;type=entry;charset=utf-8"
PAGE = 100


def answer(control: Control, request: Request) -> Answer:
    """Answer one request; errors are answers, too."""
    match request.path:
        case ("health",):
            return Answer(HTTPStatus.OK, '{"status": "healthy"}')
        case ("$emulator", *rest):
            return controls.answer(control, request, tuple(rest))
        case _:
            return _atom(control, request)


def _atom(control: Control, request: Request) -> Answer:
    try:
        return _describe(control, request)
    except UnknownNode as error:
        status, why = HTTPStatus.NOT_FOUND, str(error)
    except Conflict as error:
        status, why = HTTPStatus.CONFLICT, str(error)
    except ValueError as error:
        status, why = HTTPStatus.BAD_REQUEST, str(error)
    return Answer(status, atom.error(status, why), "application/xml")


def _describe(control: Control, request: Request) -> Answer:
    match request.method:
        case "GET":
            return _get(control, request)
        case "PUT":
            return _put(control, "/".join(request.path), request)
        case "DELETE":
            control.delete_queue("/".join(request.path))
            return Answer(HTTPStatus.OK)
        case _:
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED)


def _put(control: Control, name: str, request: Request) -> Answer:
    properties = atom.read(request.body)
    if request.changes:
        return _xml(atom.entry(control.update_queue(name, properties), request.base))
    return _xml(atom.entry(control.create_queue(name, properties), request.base), HTTPStatus.CREATED)


def _get(control: Control, request: Request) -> Answer:
    match request.path:
        case "$Resources", kind:
            return _xml(_page(control.queues() if kind.lower() == "queues" else [], request))
        case ("$namespaceinfo",):
            return _xml(atom.namespace(request.base))
    try:
        return _xml(atom.entry(control.queue("/".join(request.path)), request.base))
    except UnknownNode:
        # As Azure does: an empty list, which the SDKs take for "not found".
        return _xml(atom.feed("Publicly Listed Services", [], request.base))


def _page(queues: list[Description], request: Request) -> str:
    skip, top = (int(request.query.get(name, default)) for name, default in (("$skip", "0"), ("$top", str(PAGE))))
    left = len(queues) - skip - top
    url = f"{request.base}/$Resources/queues?{quote('$skip')}={skip + top}&{quote('$top')}={top}"
    return atom.feed("Queues", queues[skip : skip + top], request.base, url if left > 0 else None)


def _xml(body: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(status, body, XML)
