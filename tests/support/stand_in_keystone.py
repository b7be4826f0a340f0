"""A Keystone that knows a handful of tokens by heart, for keystonemiddleware to ask: the personas of the policy.

What a real Keystone says of tokens is tested against a real one; this one is quick, and its tokens have names.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from support.served import served_application

ADMIN = ("admin", "manager", "member", "reader")


@dataclass(frozen=True, slots=True)
class Persona:
    """What a token stands for."""

    roles: tuple[str, ...]
    project: str | None = "own"
    is_of_system: bool = False
    domain: str | None = None


PERSONAS = {
    "admin": Persona(ADMIN),
    "projadmin": Persona(ADMIN, project="another"),
    "manager": Persona(("manager", "member", "reader")),
    "foreign_manager": Persona(("manager", "member", "reader"), project="foreign"),
    "member": Persona(("member", "reader")),
    "alt": Persona(("member", "reader"), project="foreign"),
    "reader": Persona(("reader",)),
    "nova": Persona(("service",), project="service"),
    "roleless": Persona(()),
    "sysadmin": Persona(ADMIN, project=None, is_of_system=True),
    "domain_admin": Persona(ADMIN, project=None, domain="default"),
    "unscoped": Persona((), project=None),
    "unscoped_admin": Persona(ADMIN, project=None),
}
"""By what stands in the token between < and >. Keystone gives nobody the last one: it is what a mistake would make."""


class StandInKeystone:
    """Discovery, and what there is to say about a token."""

    def __init__(self, personas: Mapping[str, Persona]) -> None:
        self._personas = personas

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer what keystonemiddleware asks."""
        base = f"http://{environ['HTTP_HOST']}"
        name = environ.get("HTTP_X_SUBJECT_TOKEN", "").strip("<>")
        if "/auth/tokens" not in environ["PATH_INFO"]:
            status, body = "300 Multiple Choices", {"versions": {"values": [_version(base)]}}
        elif name in self._personas:
            status, body = "200 OK", {"token": _token(name, self._personas[name])}
        else:
            status, body = "404 Not Found", {"error": {"code": 404, "title": "Not Found", "message": "no such token"}}
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]


def _version(base: str) -> dict[str, Any]:
    return {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": f"{base}/v3"}]}


def _token(name: str, persona: Persona) -> dict[str, Any]:
    now = datetime.now(UTC)
    domain = {"id": "default", "name": "Default"}
    token: dict[str, Any] = {
        "methods": ["password"],
        "audit_ids": [name],
        "issued_at": now.isoformat(),
        "expires_at": (now + timedelta(hours=1)).isoformat(),
        "user": {"id": f"id-of-{name}", "name": name, "domain": domain},
        "roles": [{"id": role, "name": role} for role in persona.roles],
    }
    if persona.project:
        token["project"] = {"id": persona.project, "name": persona.project, "domain": domain}
    if persona.is_of_system:
        token["system"] = {"all": True}
    if persona.domain:
        token["domain"] = {"id": persona.domain, "name": persona.domain}
    return token


@contextmanager
def asking_keystone(directory: Path, personas: Mapping[str, Persona] = PERSONAS) -> Iterator[Path]:
    """A configuration file of an API whose Keystone is a stand-in, which answers within the block."""
    with served_application(StandInKeystone(personas)) as url:
        path = directory / "keystone.conf"
        path.write_text(
            "[api]\nauth_strategy = keystone\n"
            "[keystone_authtoken]\nwww_authenticate_uri = http://127.0.0.1:5000\n"
            f"auth_type = admin_token\nendpoint = {url}\ntoken = ours\n"
        )
        yield path
