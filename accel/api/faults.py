"""From our errors to HTTP: the one table, the form of an error's body, and the border that nothing passes.

The body has had its form since 2.0: ``error_message`` is a string, and the string is JSON itself. From 2.4 the members
of RFC 9457 stand beside it, with ``code``, which never changes for an error, and ``instance``, the id of the request.
"""

import logging
from collections.abc import Iterable
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import orjson

from accel import errors
from accel.api import environment, microversion, refusals
from accel.api.microversion import Version

LOG = logging.getLogger(__name__)

STATUSES: dict[type[errors.AccelError], HTTPStatus] = {
    errors.InvalidValue: HTTPStatus.BAD_REQUEST,
    errors.InvalidFleet: HTTPStatus.BAD_REQUEST,
    errors.ReferenceFault: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.UuidInUse: HTTPStatus.CONFLICT,
    errors.StaleVersion: HTTPStatus.CONFLICT,
    errors.NoPlacement: HTTPStatus.CONFLICT,
    errors.Overtaken: HTTPStatus.CONFLICT,
    errors.InvalidImage: HTTPStatus.BAD_REQUEST,
    errors.ImageTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.ImageRefused: HTTPStatus.CONFLICT,
    errors.ImageNotReady: HTTPStatus.CONFLICT,
    errors.DigestMismatch: HTTPStatus.CONFLICT,
    errors.SignatureMissing: HTTPStatus.CONFLICT,
    errors.SignatureInvalid: HTTPStatus.CONFLICT,
    errors.KeyRevoked: HTTPStatus.CONFLICT,
    errors.KeyNotTrusted: HTTPStatus.CONFLICT,
    errors.ActRefused: HTTPStatus.CONFLICT,
    errors.ActFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.JobFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    refusals.StillUnderWay: HTTPStatus.GATEWAY_TIMEOUT,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.IncompatibleVersion: HTTPStatus.SERVICE_UNAVAILABLE,
    refusals.BadRequest: HTTPStatus.BAD_REQUEST,
    refusals.NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    refusals.AccessRefused: HTTPStatus.FORBIDDEN,
    refusals.NoSuchRoute: HTTPStatus.NOT_FOUND,
    refusals.MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    refusals.NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    refusals.NotInThisVersion: HTTPStatus.NOT_ACCEPTABLE,
    refusals.BadVersion: HTTPStatus.NOT_ACCEPTABLE,
    refusals.UnsupportedVersion: HTTPStatus.NOT_ACCEPTABLE,
    refusals.Unresolved: HTTPStatus.LOCKED,
    refusals.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    refusals.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.AccelError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of an error is that of the nearest class above it."""

RETRY_AFTER_SECONDS = 5
"""What a client is asked to wait when a part that we depend on is away."""

_BEFORE_THE_RESOURCE = (
    refusals.NoSuchRoute,
    refusals.MethodNotAllowed,
    refusals.NotAcceptable,
    refusals.BadVersion,
    refusals.UnsupportedVersion,
)
"""Errors of routing and versions have another form inside ``error_message`` than those of a resource."""


_OF_OTHERS = (errors.ConductorRefused, errors.JobFailed)
"""Errors that another process has told: their status and code are those of the error over there."""


class Boundary:
    """The outermost layer that knows what a request means: every error becomes an answer here."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the request."""
        try:
            return self._application(environ, start_response)
        except errors.AccelError as error:
            if _status(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                LOG.warning("%s: %s", environment.request_id(environ), error)
            return _answer(error, environ, start_response)
        except Exception:  # the border of the API: the unexpected is logged here and told to nobody outside
            LOG.exception("%s: unexpected error", environment.request_id(environ))
            return _answer(errors.AccelError("Internal error; the log has more"), environ, start_response)


def _status(error: errors.AccelError) -> HTTPStatus:
    """The status of an error; of one that another process has told, that of the error over there."""
    kind = type(error)
    if isinstance(error, _OF_OTHERS):
        kind = errors.BY_CODE.get(error.remote_code, kind)
    return next(STATUSES[parent] for parent in kind.__mro__ if parent in STATUSES)


def _code(error: errors.AccelError) -> str:
    return error.remote_code if isinstance(error, _OF_OTHERS) else error.code


def _answer(error: errors.AccelError, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    status = _status(error)
    version = environment.version(environ)
    body = orjson.dumps(_body(error, version or microversion.OLDEST, environment.request_id(environ)))
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    if version is not None or isinstance(error, refusals.UnsupportedVersion):
        headers += microversion.headers(version)
    if isinstance(error, refusals.NotAuthenticated):
        headers.append(("WWW-Authenticate", 'Basic realm="accel", charset="UTF-8"'))
    if isinstance(error, refusals.MethodNotAllowed):
        headers.append(("Allow", ", ".join(error.allowed)))
    if isinstance(error, errors.Unavailable):
        headers.append(("Retry-After", str(RETRY_AFTER_SECONDS)))
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]


def _body(error: errors.AccelError, version: Version, request_id: str) -> dict[str, object]:
    status, text = _status(error), _text(error)
    inner: dict[str, object]
    if isinstance(error, _BEFORE_THE_RESOURCE):
        inner = {"code": status.value, "title": status.phrase, "description": text}
    else:
        blame = "Client" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "Server"
        inner = {"faultcode": blame, "faultstring": text, "debuginfo": None}
    body: dict[str, object] = {"error_message": orjson.dumps(inner).decode()}
    if version >= microversion.SAYS_MORE:
        body |= {
            "type": "about:blank",
            "title": status.phrase,
            "status": status.value,
            "detail": text,
            "instance": request_id,
            "code": _code(error),
        }
    return body


def _text(error: errors.AccelError) -> str:
    """What a client is told. Why a part is away is for the log: it names hosts and accounts."""
    if isinstance(error, errors.Unavailable):
        return f"{type(error).__doc__} Try again in {RETRY_AFTER_SECONDS} seconds."
    return str(error)
