"""A real Keystone: from PyPI in a virtual environment of its own, on SQLite, with fernet keys."""

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from support.environments import programs_of
from support.processes import PATIENCE_SECONDS, answering, free_port

ADMIN_PASSWORD = "of-the-admin"
# Keystone reads the arguments of whatever imports it: they have to be gone before.
SERVE = """
import sys
port = sys.argv.pop()
from keystone.wsgi.api import application
from waitress import serve
serve(application, host="127.0.0.1", port=port)
"""


@dataclass(frozen=True, slots=True)
class Keystone:
    """A Keystone that answers, as its administrator uses it."""

    url: str
    """With its version."""
    _tokens: list[str] = field(default_factory=list)

    def token(self, user: str, password: str, **scope: Any) -> str:
        """A token for a user of the default domain.

        :param scope: ``project={…}``, ``system={…}``, ``domain={…}``; nothing for an unscoped one
        """
        identity = {
            "methods": ["password"],
            "password": {"user": {"name": user, "domain": {"id": "default"}, "password": password}},
        }
        return self.sign_in(identity, scope or "unscoped")

    def sign_in(self, identity: dict[str, Any], scope: object = None) -> str:
        """A token for whoever can show what they are."""
        auth = {"identity": identity} if scope is None else {"identity": identity, "scope": scope}
        answer = requests.post(f"{self.url}/auth/tokens", json={"auth": auth}, timeout=30)
        answer.raise_for_status()
        return answer.headers["X-Subject-Token"]

    def call(self, method: str, path: str, body: object = None, *, token: str | None = None, **headers: str) -> Any:
        """The answer of the API, to the administrator unless a token says otherwise."""
        sent = {"X-Auth-Token": token or self.admin_token(), **headers}
        answer = requests.request(method, f"{self.url}{path}", json=body, headers=sent, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def admin_token(self) -> str:
        """A token of the administrator, for the project that every Keystone begins with."""
        if not self._tokens:
            self._tokens.append(self.token("admin", ADMIN_PASSWORD, project=in_default_domain("admin")))
        return self._tokens[0]

    def make(self, kind: str, **members: Any) -> str:
        """The id of a new thing: ``make("project", name="own")``."""
        return str(self.call("POST", f"/{kind}s", {kind: members})[kind]["id"])

    def id_of(self, kind: str, name: str) -> str:
        """The id of a thing that has a name."""
        return str(self.call("GET", f"/{kind}s?name={name}")[f"{kind}s"][0]["id"])

    def expiring_token(self, user: str, password: str, project: str, *, seconds: int) -> str:
        """A token that lives for so long: as long as the application credential that it is made with."""
        token = self.token(user, password, project=in_default_domain(project))
        user_id = self.call("GET", "/auth/tokens", token=token, **{"X-Subject-Token": token})["token"]["user"]["id"]
        expires_at = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f")
        wanted = {"name": f"until {expires_at}", "expires_at": expires_at}
        path = f"/users/{user_id}/application_credentials"
        made = self.call("POST", path, {"application_credential": wanted}, token=token)["application_credential"]
        credential = {"id": made["id"], "secret": made["secret"]}
        return self.sign_in({"methods": ["application_credential"], "application_credential": credential})


def in_default_domain(name: str) -> dict[str, Any]:
    """A name that means something in the default domain."""
    return {"name": name, "domain": {"id": "default"}}


@contextmanager
def running_keystone(directory: Path) -> Iterator[Keystone]:
    """A Keystone that has been bootstrapped and answers within the block."""
    programs = programs_of("keystone")
    port = free_port()
    _configure(directory)
    manage = [str(programs / "keystone-manage"), "--config-dir", str(directory)]
    _run([*manage, "db_sync"])
    url = f"http://127.0.0.1:{port}/v3"
    endpoints = ["--bootstrap-public-url", url, "--bootstrap-internal-url", url]
    _run([*manage, "bootstrap", "--bootstrap-password", ADMIN_PASSWORD, *endpoints])
    command = [str(programs / "python"), "-c", SERVE, str(port)]
    with answering(command, url, directory / "log", OS_KEYSTONE_CONFIG_DIR=str(directory)):
        yield Keystone(url)


def _configure(directory: Path) -> None:
    for name in ("fernet", "credential"):
        keys = directory / name
        keys.mkdir(mode=0o700)
        for number in ("0", "1"):
            (keys / number).write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
            (keys / number).chmod(0o600)
    (directory / "keystone.conf").write_text(
        f"[database]\nconnection = sqlite:///{directory}/keystone.sqlite\n"
        f"[fernet_tokens]\nkey_repository = {directory}/fernet\n"
        f"[fernet_receipts]\nkey_repository = {directory}/fernet\n"
        f"[credential]\nkey_repository = {directory}/credential\n"
        "[identity]\npassword_hash_rounds = 4\n"
    )


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
