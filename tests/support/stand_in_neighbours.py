"""Nova and Glance, as far as clients of accelerators and we ask them.

There is a server and an image with any name. Events that Nova is told are kept, and Nova answers that it took them.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from accel.api.embedded import EmbeddedServer


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Where they are, and what they were told."""

    url: str
    events: list[dict[str, Any]] = field(default_factory=list)
    """In the order in which they came."""

    @property
    def compute_url(self) -> str:
        """Where Nova is."""
        return f"{self.url}/compute/v2.1"

    @property
    def image_url(self) -> str:
        """Where Glance is."""
        return f"{self.url}/image"


class _Application:
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        service, *rest = environ["PATH_INFO"].strip("/").split("/")
        body: object
        if rest[-1:] == ["os-server-external-events"]:
            told = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))["events"]
            self.events += told
            body = {"events": [{**event, "code": 200} for event in told]}
        elif len(rest) < 2:
            body = _VERSIONS[service](f"http://{environ['HTTP_HOST']}/{service}")
        else:
            thing = {"id": rest[-1], "name": rest[-1], "status": "active"}
            body = {"server": thing} if service == "compute" else thing
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]


def _version(number: str, url: str) -> dict[str, Any]:
    return {"id": number, "status": "CURRENT", "links": [{"rel": "self", "href": url}]}


_VERSIONS: Mapping[str, Callable[[str], object]] = {
    "compute": lambda base: {"version": _version("v2.1", f"{base}/v2.1/") | {"version": "2.100", "min_version": "2.1"}},
    "image": lambda base: {"versions": [_version("v2.16", f"{base}/v2/")]},
}


@contextmanager
def stand_in_neighbours() -> Iterator[Neighbours]:
    """Both, which answer within the block."""
    application = _Application()
    server = EmbeddedServer(application, "127.0.0.1", 0)
    server.start()
    try:
        yield Neighbours(server.url, application.events)
    finally:
        server.stop()
