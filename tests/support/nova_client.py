"""Nova's own client module for accelerators, in a process with Nova's environment."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.environments import programs_of
from support.keystone import Keystone

DRIVER = Path(__file__).with_name("nova_driver.py")


class NovaError(Exception):
    """An exception of Nova's; its class is named first."""


@dataclass(frozen=True, slots=True)
class NovaClient:
    """``nova.accelerator.cyborg`` for a user of the cloud."""

    process: "subprocess.Popen[str]"
    context: dict[str, Any]

    def call(self, method: str, *arguments: object) -> Any:
        """What a method of the client returns.

        :raises NovaError: it raised
        """
        wanted = {"call": method, "arguments": arguments, "context": self.context}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise NovaError(f"{answer['error']}: {answer['text']}")
        return answer["result"]


@contextmanager
def running_nova_client(
    directory: Path, keystone: Keystone, *, user: str, project: str
) -> Iterator["subprocess.Popen[str]"]:
    """A process with Nova's modules, which has service tokens of a user, within the block."""
    configuration = directory / "nova.conf"
    configuration.write_text(
        "[service_user]\nsend_service_user_token = true\nauth_type = password\n"
        f"auth_url = {keystone.url}\nusername = {user}\npassword = {user * 2}\nproject_name = {project}\n"
        "user_domain_id = default\nproject_domain_id = default\n"
        "[cyborg]\nvalid_interfaces = public\n"
    )
    command = [str(programs_of("nova") / "python"), "-I", str(DRIVER), str(configuration)]
    with (
        (directory / "nova.log").open("w") as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        yield process
        assert process.stdin is not None
        process.stdin.close()


def context_of(token: str, keystone: Keystone) -> dict[str, Any]:
    """What Nova's API knows of a user by a token: with the catalog in the form that keystonemiddleware hands on."""
    known = keystone.call("GET", "/auth/tokens", token=token, **{"X-Subject-Token": token})["token"]
    return {
        "auth_token": token,
        "user_id": known["user"]["id"],
        "project_id": known["project"]["id"],
        "roles": [role["name"] for role in known["roles"]],
        "service_catalog": [
            {
                "type": service["type"],
                "name": service["name"],
                "endpoints": [
                    {f"{endpoint['interface']}URL": endpoint["url"], "region": endpoint["region"]}
                    for endpoint in service["endpoints"]
                ],
            }
            for service in known["catalog"]
        ],
    }
