"""Where images are fetched from: a web server, and a stand-in for Glance with images that it keeps."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

from support.served import served_application

Answer = tuple[str, Mapping[str, str], bytes]
"""Status, headers and body."""


class Web:
    """A web server that answers by path; what it does not know is not found."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.url = ""
        self.asked: list[str] = []

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc

    def has(self, path: str, body: bytes, status: str = "200 OK", **headers: str) -> str:
        """Let it answer at a path; gives the URL."""
        self.answers[path] = status, {"Content-Length": str(len(body)), **headers}, body
        return f"{self.url}{path}"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer."""
        self.asked.append(environ["PATH_INFO"])
        status, headers, body = self.answers.get(environ["PATH_INFO"], ("404 Not Found", {}, b""))
        start_response(status, list(headers.items()))
        return [body]


@contextmanager
def running_web() -> Iterator[Web]:
    """A web server of this machine, which answers within the block."""
    web = Web()
    with served_application(web) as web.url:
        yield web


def keep_in_glance(web: Web, uuid: str, data: bytes, members: Mapping[str, str] | None = None, **image: Any) -> None:
    """Let a web server answer as Glance does about an image.

    :param members: the projects that it is shared with, and what each says to it
    """
    described = {"id": uuid, "name": uuid, "status": "active", "visibility": "private", "owner": "own", **image}
    described.setdefault("size", len(data))
    path = f"/v2/images/{uuid}"
    web.has(path, json.dumps(described).encode(), **{"Content-Type": "application/json"})
    web.has(f"{path}/file", data, **{"Content-Type": "application/octet-stream"})
    for member, status in (members or {}).items():
        body = json.dumps({"image_id": uuid, "member_id": member, "status": status}).encode()
        web.has(f"{path}/members/{member}", body, **{"Content-Type": "application/json"})
