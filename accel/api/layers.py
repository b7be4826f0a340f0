"""Layers around the application that are ours; each does one thing to every request."""

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_config import cfg
from oslo_context.context import generate_request_id
from oslo_middleware import Healthcheck, HTTPProxyToWSGI

from accel.api import environment
from accel.api.environment import Input, Stream
from accel.api.refusals import BadRequest, BodyTooLarge
from accel.api.routing import Router

_REQUEST_ID = re.compile("req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OF_PROXIES = frozenset(
    {"HTTP_FORWARDED", *(f"HTTP_X_FORWARDED_{what}" for what in ("PROTO", "HOST", "FOR", "PREFIX"))}
)
"""What oslo.middleware reads."""
REFERENCE_MOUNT = "/accelerator"
"""Where OpenStack's deployments mount the service, and where links of its first versions always pointed."""


class HealthCheck:
    """Answers at ``/healthcheck`` that the process answers, to whoever decides whether to send requests to it."""

    def __init__(self, application: WSGIApplication, *, conf: cfg.ConfigOpts) -> None:
        self._application = application
        self._healthcheck: WSGIApplication = Healthcheck(None, conf)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer at that path, pass everything else on."""
        is_meant = environ.get("PATH_INFO") == "/healthcheck"
        return (self._healthcheck if is_meant else self._application)(environ, start_response)


class BehindProxy:
    """Lets oslo.middleware believe what a proxy says of the client, where one says something and is to be believed."""

    def __init__(self, application: WSGIApplication, *, conf: cfg.ConfigOpts) -> None:
        self._application = application
        self._believing: WSGIApplication = HTTPProxyToWSGI(application, conf)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass it on."""
        is_forwarded = not _OF_PROXIES.isdisjoint(environ)
        return (self._believing if is_forwarded else self._application)(environ, start_response)


class RequestId:
    """Gives each request an id, which is in its answer, in the log and in events.

    It does what the class of this name in oslo.middleware does, at a tenth of the price: that one builds request and
    answer anew to read one header and add another.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Name it and pass it on; what another service has called the whole of which it is a part is kept as well."""
        environ[environment.REQUEST_ID] = own = generate_request_id()
        given = environ.get("HTTP_X_OPENSTACK_REQUEST_ID", "")
        if _REQUEST_ID.fullmatch(given):
            environ[environment.GLOBAL_REQUEST_ID] = given

        def start(line: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:
            return start_response(line, [*headers, ("x-openstack-request-id", own)], *rest)

        answer = self._application(environ, start)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else answer


class ReferenceMount:
    """Answers below ``/accelerator`` as well, so that a catalog URL made for a mounted service works stand-alone.

    Links in such an answer point there too.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Move the mount point from the path to where WSGI has it."""
        path = environ.get("PATH_INFO", "")
        if path == REFERENCE_MOUNT or path.startswith(REFERENCE_MOUNT + "/"):
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + REFERENCE_MOUNT
            environ["PATH_INFO"] = path.removeprefix(REFERENCE_MOUNT)
        return self._application(environ, start_response)


class Options:
    """Answers OPTIONS wherever something is."""

    def __init__(self, application: WSGIApplication, *, router: Router) -> None:
        self._application = application
        self._router = router

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Say which methods there are, in a header."""
        if environ["REQUEST_METHOD"] != "OPTIONS":
            return self._application(environ, start_response)
        methods = sorted(self._router.find(environ.get("PATH_INFO", "")).routes)
        start_response("200 OK", [("Content-Length", "0"), ("Allow", ", ".join(methods))])
        return [b""]


class Reading:
    """Reads query and body, and refuses what cannot be read, before anything looks at the request.

    A body of bytes is left for whoever answers.

    :param max_body_bytes: the largest other body that is read
    """

    def __init__(self, application: WSGIApplication, *, router: Router, max_body_bytes: int) -> None:
        self._application = application
        self._router = router
        self._max_body_bytes = max_body_bytes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Put the input into the environment, and leave an empty one for whoever reads after us.

        :raises BadRequest: path or query are not UTF-8 or hold NUL, which no database takes
        :raises BodyTooLarge: the body is larger than allowed
        """
        query = _read_query(environ.get("QUERY_STRING", ""))
        _check_path(environ.get("PATH_INFO", ""))
        takes_bytes = self._router.takes_bytes(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
        environ[environment.INPUT] = Input(
            query=query,
            body=b"" if takes_bytes else self._read_body(environ),
            media_type=environ.get("CONTENT_TYPE", ""),
            stream=_stream(environ) if takes_bytes else None,
        )
        environ["CONTENT_LENGTH"] = "0"
        environ["CONTENT_TYPE"] = "application/octet-stream"  # of a form Pecan would read the fields
        return self._application(environ, start_response)

    def _read_body(self, environ: WSGIEnvironment) -> bytes:
        length = _length(environ)
        if length is None and not environ.get("wsgi.input_terminated"):
            return b""
        if length is not None and length > self._max_body_bytes:
            raise BodyTooLarge(f"The body has more than {self._max_body_bytes} bytes")
        body: bytes = environ["wsgi.input"].read(self._max_body_bytes + 1 if length is None else length)
        if len(body) > self._max_body_bytes:
            raise BodyTooLarge(f"The body has more than {self._max_body_bytes} bytes")
        return body


def _stream(environ: WSGIEnvironment) -> Stream:
    length = _length(environ)
    ends = length is not None or environ.get("wsgi.input_terminated")
    return Stream(source=environ["wsgi.input"], size_bytes=length if ends else 0)


def _length(environ: WSGIEnvironment) -> int | None:
    """How long the body is by its sender's word; None where there is none.

    :raises BadRequest: it is no number
    """
    length = environ.get("CONTENT_LENGTH") or ""
    if length and not (length.isascii() and length.isdecimal()):
        raise BadRequest("Content-Length is no number")
    return int(length[:20]) if length else None


def _read_query(text: str) -> tuple[tuple[str, str], ...]:
    try:
        pairs = parse_qsl(_utf8(text), keep_blank_values=True, errors="strict", max_num_fields=1000)
    except ValueError as error:
        raise BadRequest(f"The query cannot be read: {error}") from error
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise BadRequest("The query holds NUL, which is no text")
    return tuple(pairs)


def _check_path(path: str) -> None:
    try:
        text = _utf8(path)
    except UnicodeError as error:
        raise BadRequest("The path is not UTF-8") from error
    if "\0" in text:
        raise BadRequest("The path holds NUL, which is no text")


def _utf8(text: str) -> str:
    """The text that a client meant; WSGI hands over bytes as characters."""
    return text.encode("latin-1").decode()
