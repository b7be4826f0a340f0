"""Who has an attach handle, who may know it, and by what names it is found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.api import Client, client
from support.inventory import Inventory
from support.stand_in_keystone import ADMIN, Persona, asking_keystone

from accel.db.engine import Database

MANAGER = ("manager", "member", "reader")
CALLERS = {
    "red": Persona(MANAGER, project="red"),
    "blue": Persona(MANAGER, project="blue"),
    "admin": Persona(ADMIN, project="blue"),
}
PCI = {"domain": "0000", "bus": "3b", "device": "00", "function": "1"}


@pytest.fixture
def inventory(database: Database) -> Inventory:
    return Inventory(database)


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Iterator[Client]:
    with asking_keystone(tmp_path, CALLERS) as config:
        yield client(database, "--config-file", str(config))


def handles(api: Client, query: str = "", *, caller: str = "admin") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/v2/attach_handles{query}", **{"X-Auth-Token": f"<{caller}>"})[
        "attach_handles"
    ]
    return found


@pytest.mark.parametrize(("caller", "project"), [("red", "red"), ("admin", "red"), ("blue", None)])
def test_who_has_it_is_for_the_holder_s_project_and_administrators(
    caller: str, project: str | None, inventory: Inventory, api: Client
) -> None:
    device = inventory.device(inventory.node())
    handle = inventory.handle(inventory.deployable(device))
    inventory.holder(handle, name="vm-of-red", project_id="red")

    (found,) = handles(api, caller=caller)

    assert found["holder"]["kind"] == "instance"
    assert found["holder"]["project_id"] == project
    assert (found["is_free"], found["why_not"]) == (False, None)
    if project is None:
        assert set(found["holder"].values()) == {"instance", None}


def test_what_stands_for_a_held_thing_of_a_lost_device_is_not_free(inventory: Inventory, api: Client) -> None:
    node = inventory.node()
    for presence in ("lost", "present"):
        part = inventory.deployable(inventory.device(node, presence=presence))
        inventory.handle(part, info=PCI, held=presence == "lost")

    old, new = handles(api)

    assert old["why_not"].endswith("is lost")
    assert (new["is_free"], new["holder"]) == (False, None)
    assert new["why_not"] == "what it stands for is held through the handle of a device that is lost"
    assert handles(api, "?is_free=true") == []
    assert [handle["uuid"] for handle in handles(api, "?is_free=false")] == [old["uuid"], new["uuid"]]


@pytest.mark.parametrize("presence", ["device", "part", "handle"])
def test_what_is_lost_says_so(presence: str, inventory: Inventory, api: Client) -> None:
    def state(of: str) -> str:
        return "lost" if of == presence else "present"

    device = inventory.device(inventory.node(), presence=state("device"))
    part = inventory.deployable(device, presence=state("part"))
    inventory.handle(part, presence=state("handle"))

    (found,) = handles(api)

    assert not found["is_free"]
    assert found["why_not"].endswith("is lost")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0000:3b:00.1", 1),
        ("0000:3B:00.1", 1),
        ("node1/0000:3b:00.1", 1),
        ("node2/0000:3b:00.1", 0),
        ("MIG-7-1", 1),
        ("/dev/nvme0n1", 1),
        ("0000:3b:00.2", 0),
        ("domain", 0),
        ('"0000"', 0),
    ],
)
def test_a_handle_is_found_by_what_it_stands_for(text: str, count: int, inventory: Inventory, api: Client) -> None:
    device = inventory.device(inventory.node())
    for number, info in enumerate((PCI, {"uuid": "MIG-7-1", "profile": "1g"}, {"path": "/dev/nvme0n1"})):
        inventory.handle(inventory.deployable(device, f"part-{number}"), info=info)

    assert len(handles(api, f"?ref={text}")) == count
