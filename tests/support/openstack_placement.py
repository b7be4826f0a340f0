"""A real OpenStack Placement: from PyPI in a virtual environment of its own, on SQLite, asking nobody for a token."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from support.environments import programs_of
from support.processes import answering, free_port
from support.proxy import Proxy

from accel import conf
from accel.conductor.placement import Placement, connect
from accel.model.provider import Inventory, Provider

VERSION = "1.39"
# One thread: SQLite has one writer, and what comes meanwhile had better wait than fail.
SERVE = """
import sys
port = sys.argv.pop()
from placement.wsgi.api import application
from waitress import serve
serve(application, host="127.0.0.1", port=int(port), threads=1)
"""


class Refusal(Exception):
    """Placement has answered with something else than success."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class RealPlacement:
    """A Placement as Nova and its operators use it.

    ``way`` is how accelerators' conductors reach it: tests cut it. Nova and operators are nearer.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = free_port()
        self._ends = ExitStack()
        self._session = requests.Session()
        self.url = f"http://127.0.0.1:{self._port}"
        self.way = Proxy("127.0.0.1", self._port)
        (directory / "placement.conf").write_text(
            "[api]\nauth_strategy = noauth2\n[placement_database]\nsync_on_startup = true\n"
            f"connection = sqlite:///{directory}/placement.sqlite\nsqlite_synchronous = false\n"
        )

    def start(self) -> None:
        """Serve."""
        command = [str(programs_of("placement") / "python"), "-c", SERVE, str(self._port)]
        variables = {"OS_PLACEMENT_CONFIG_DIR": str(self._directory)}
        self._ends.enter_context(answering(command, self.url, self._directory / "log", **variables))

    def stop(self) -> None:
        """Fall over."""
        self._session.close()
        self._ends.close()

    def section(self, **options: object) -> str:
        """The section of accel.conf of a conductor."""
        wanted = {
            "auth_type": "admin_token",
            "endpoint": f"http://127.0.0.1:{self.way.port}",
            "token": "admin",
            "timeout": 15,
        } | options
        return "\n".join(["[placement]", *(f"{name} = {value}" for name, value in wanted.items()), ""])

    def call(self, method: str, path: str, body: object = None, *, version: str = VERSION) -> Any:
        """The answer to somebody who may do everything.

        :raises Refusal: it is no success
        """
        headers = {"X-Auth-Token": "admin", "OpenStack-API-Version": f"placement {version}"}
        answer = self._session.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=60)
        if not answer.ok:
            raise Refusal(answer.status_code, answer.text)
        return answer.json() if answer.content else None

    # --- what Nova does ---

    def boot_node(self, name: str) -> str:
        """Start nova-compute on a node, which makes the node's own provider; gives its UUID."""
        return str(self.call("POST", "/resource_providers", {"name": name, "uuid": str(uuid4())})["uuid"])

    def allocate(self, provider: str, resource_class: str, amount: int = 1, *, consumer: str = "") -> str:
        """Allocate for a new server; gives its UUID.

        :raises Refusal: there is not so much
        """
        consumer = consumer or str(uuid4())
        body = {
            "allocations": {provider: {"resources": {resource_class: amount}}},
            "project_id": "project",
            "user_id": "user",
            "consumer_generation": None,
            "consumer_type": "INSTANCE",
        }
        self.call("PUT", f"/allocations/{consumer}", body)
        return consumer

    def free(self, consumer: str) -> None:
        """Give back what a server has."""
        self.call("DELETE", f"/allocations/{consumer}")

    def candidates(self, resource_class: str, amount: int = 1) -> set[str]:
        """The providers onto which Nova would schedule so much."""
        found = self.call("GET", f"/allocation_candidates?resources={resource_class}:{amount}")["allocation_requests"]
        return {uuid for request in found for uuid in request["allocations"]}

    # --- what there is ---

    def below(self, root: str) -> dict[str, Provider]:
        """The providers below a node's, by UUID."""
        rows = self.call("GET", f"/resource_providers?in_tree={root}")["resource_providers"]
        return {row["uuid"]: self._provider(row) for row in rows if row["parent_provider_uuid"] == root}

    def by_name(self, root: str) -> dict[str, Provider]:
        """The same by their names."""
        return {provider.name: provider for provider in self.below(root).values()}

    def _provider(self, row: Mapping[str, Any]) -> Provider:
        path = f"/resource_providers/{row['uuid']}"
        inventories = self.call("GET", f"{path}/inventories")["inventories"]
        return Provider(
            uuid=row["uuid"],
            name=row["name"],
            inventories={name: Inventory(**figures) for name, figures in inventories.items()},
            traits=frozenset(self.call("GET", f"{path}/traits")["traits"]),
        )

    # --- what operators do ---

    def set_traits(self, provider: str, traits: Iterable[str]) -> None:
        """Give a provider these traits, which are made where they are not there."""
        wanted = sorted(traits)
        for name in wanted:
            if name.startswith("CUSTOM_"):
                self.call("PUT", f"/traits/{name}")
        path = f"/resource_providers/{provider}"
        generation = self.call("GET", path)["generation"]
        self.call("PUT", f"{path}/traits", {"resource_provider_generation": generation, "traits": wanted})

    def set_inventories(self, provider: str, **totals: int) -> None:
        """Give a provider these inventories."""
        path = f"/resource_providers/{provider}"
        generation = self.call("GET", path)["generation"]
        inventories = {name: {"total": total} for name, total in totals.items()}
        body = {"resource_provider_generation": generation, "inventories": inventories}
        self.call("PUT", f"{path}/inventories", body)


@contextmanager
def running_placement(directory: Path) -> Iterator[RealPlacement]:
    """A Placement that answers within the block."""
    placement = RealPlacement(directory)
    try:
        with placement.way:
            placement.start()
            yield placement
    finally:
        placement.stop()


def connected(directory: Path, section: str) -> Placement:
    """Placement as a conductor with this section in its configuration knows it."""
    file = directory / "placement.conf"
    file.write_text(section)
    placement = connect(conf.load([], prog="test", default_config_files=[str(file)]))
    assert placement is not None
    return placement
