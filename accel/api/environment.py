"""What the layers of the API tell one another about a request, in its WSGI environment: the keys and their types."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, cast
from wsgiref.types import WSGIEnvironment

from oslo_context.context import RequestContext

from accel.api.microversion import Version

REQUEST_ID = "openstack.request_id"  # this one and the next are those of oslo.middleware, for oslo.context
GLOBAL_REQUEST_ID = "openstack.global_request_id"
VERSION = "accel.version"
INPUT = "accel.input"
ROUTE = "accel.route"
CONTEXT = "accel.context"


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; empty at their end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A body that is read by whoever wants it, because it may be larger than memory."""

    source: Readable
    size_bytes: int | None
    """What its sender announces; None: nothing, and it goes on until it ends."""

    def parts(self, part_bytes: int) -> Iterator[bytes]:
        """The bytes, in parts of so many at most. They are fewer than announced where the sender is gone."""
        left = self.size_bytes
        while left is None or left > 0:
            data = self.source.read(part_bytes if left is None else min(left, part_bytes))
            if not data:
                return
            left = None if left is None else left - len(data)
            yield data


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What came with a request, read once and known to be text where it must be."""

    query: tuple[tuple[str, str], ...]
    body: bytes
    media_type: str
    """What the body is by its sender's word; empty when there is none."""
    stream: Stream | None = None
    """The body, where the route reads it itself."""


def request_id(environ: WSGIEnvironment) -> str:
    """The id of the request; empty before it has one."""
    return str(environ.get(REQUEST_ID, ""))


def version(environ: WSGIEnvironment) -> Version | None:
    """The version that was agreed on; None before that."""
    return cast("Version | None", environ.get(VERSION))


def context(environ: WSGIEnvironment) -> RequestContext:
    """Who is asking; every request has one when it comes to a handler."""
    return cast("RequestContext", environ[CONTEXT])
