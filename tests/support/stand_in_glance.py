"""A stand-in for Glance: it has an image with any id."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from wsgiref.types import StartResponse, WSGIEnvironment

from support.served import served_application


def _answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    _, _, image = environ["PATH_INFO"].strip("/").partition("/images/")
    link = {"rel": "self", "href": f"http://{environ['HTTP_HOST']}/v2/"}
    versions = {"versions": [{"id": "v2.16", "status": "CURRENT", "links": [link]}]}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"id": image, "name": image, "status": "active"} if image else versions).encode()]


@contextmanager
def stand_in_glance() -> Iterator[str]:
    """Its URL, at which it answers within the block."""
    with served_application(_answer) as url:
        yield url
