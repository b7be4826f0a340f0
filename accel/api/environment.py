"""What the layers of the API tell one another about a request, in its WSGI environment: the keys and their types."""

from dataclasses import dataclass
from typing import cast
from wsgiref.types import WSGIEnvironment

from oslo_context.context import RequestContext

from accel.api.microversion import Version

REQUEST_ID = "openstack.request_id"  # this one and the next are those of oslo.middleware, for oslo.context
GLOBAL_REQUEST_ID = "openstack.global_request_id"
VERSION = "accel.version"
INPUT = "accel.input"
ROUTE = "accel.route"
CONTEXT = "accel.context"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What came with a request, read once and known to be text where it must be."""

    query: tuple[tuple[str, str], ...]
    body: bytes
    media_type: str
    """What the body is by its sender's word; empty when there is none."""


def request_id(environ: WSGIEnvironment) -> str:
    """The id of the request; empty before it has one."""
    return str(environ.get(REQUEST_ID, ""))


def version(environ: WSGIEnvironment) -> Version | None:
    """The version that was agreed on; None before that."""
    return cast("Version | None", environ.get(VERSION))


def context(environ: WSGIEnvironment) -> RequestContext:
    """Who is asking; every request has one when it comes to a handler."""
    return cast("RequestContext", environ[CONTEXT])
