"""The API for tests: requests against the real application, without a socket."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from wsgiref.types import WSGIApplication

import webob
from support.claims import local_claims

from accel import conf
from accel.api.app import make_app
from accel.db.engine import Database

NEWEST = {"OpenStack-API-Version": "accelerator 2.4"}


@dataclass(frozen=True, slots=True)
class Client:
    """Sends requests to an application as a client on this machine would."""

    application: WSGIApplication

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        environ: Mapping[str, Any] | None = None,
    ) -> webob.Response:
        """The answer to a request."""
        request = webob.Request.blank(path, method=method, headers=dict(headers or {}), environ=dict(environ or {}))
        if body is not None:
            request.body = body
        return request.get_response(self.application)

    def get(self, path: str, **headers: str) -> Any:
        """What a GET at the newest version answers with, which must be well."""
        answer = self.request("GET", path, headers=NEWEST | headers)
        assert answer.status_int == 200, answer.text
        return answer.json

    def send(self, method: str, path: str, body: object, **headers: str) -> webob.Response:
        """The answer to a request with a JSON body."""
        content = {"Content-Type": "application/json"}
        return self.request(method, path, headers=content | headers, body=json.dumps(body).encode())


def client(database: Database, *arguments: str) -> Client:
    """A client of the API over a database.

    :param arguments: of the command line, for options
    """
    return Client(
        make_app(database, conf.load(arguments, prog="accel-api", default_config_files=[]), local_claims(database))
    )


def post(api: Client, path: str, body: object, status: int = 200) -> Any:
    """What a POST at the newest version answers with, which must have this status."""
    answer = api.send("POST", path, body, **NEWEST)
    assert answer.status_int == status, answer.text
    return answer.json


def fault(answer: webob.Response) -> str:
    """The text of an error, from within its body."""
    inner = json.loads(answer.json["error_message"])
    return str(inner["faultstring"] if "faultstring" in inner else inner["description"])
