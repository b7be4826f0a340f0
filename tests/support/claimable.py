"""A node with something in every condition that a bind can meet, and requests in every state, whose UUIDs tests can
name.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from support.inventory import BEGIN, Inventory
from support.populated import uuid

from accel.db.engine import Database
from accel.model.request import HOLDING, WORKING, RequestState

NODE = "gamma"
FREE_HANDLES = 4
_PROFILES: Mapping[str, Iterable[Mapping[str, str]]] = {
    "one": [{"resources:FPGA": "1"}],
    "none": [{"resources:FPGA": "0"}],
    "board": [{"resources:FPGA": "2", "resources:CUSTOM_X": "1", "trait:CUSTOM_FPGA_XILINX": "required"}],
    "board-not": [{"resources:FPGA": "2", "trait:CUSTOM_FPGA_XILINX": "forbidden"}],
    "several": [
        {"resources:PGPU": "1", "trait:CUSTOM_A": "required"},
        {"resources:PGPU": "-1"},
        {"resources:FPGA": "2", "resources:CUSTOM_X": "1"},
    ],
    "most": [{"resources:FPGA": "1024"}],
    "too-many": [{"resources:FPGA": "1000"}, {"resources:PGPU": "25"}],
}


def provider(number: int) -> str:
    """The UUID of a resource provider: 1 free, 2 disabled, 3 unhealthy, 4 lost, 5 lost part, 6 held, 7 lost handle."""
    return uuid(0, number)


def add_claimable(database: Database) -> None:
    """One node, some profiles, and requests of the projects ``own`` and ``foreign``.

    Of ``own`` are the requests 1 to 4 and 9 in Initial, 5 in BindFailed for the instance 1, 6 in BindStarted and 7 in
    Bound for the instance 2, 8 in Deleting; of ``foreign`` 11 in Initial and 12 in Bound for the instance 3.
    """
    inventory = Inventory(database)
    node = inventory.node(NODE, uuid=uuid(5, 1))
    parts = _add_parts(inventory, node)
    profiles = {
        name: inventory.profile(name, uuid=uuid(7, number), groups=list(groups))
        for number, (name, groups) in enumerate(_PROFILES.items(), 1)
    }
    inventory.profile("theirs", uuid=uuid(7, 99), is_public=False, project_id="foreign")
    own = {"project_id": "own"}
    for number, state, columns in (
        *((number, RequestState.INITIAL, own) for number in (1, 2, 3, 4, 9)),
        (5, RequestState.BIND_FAILED, own | {"instance_uuid": instance(1), "reason": "it would not"}),
        (6, RequestState.BIND_STARTED, own | {"instance_uuid": instance(2), "steps": ["prepare"]}),
        (7, RequestState.BOUND, own | {"instance_uuid": instance(2)}),
        (8, RequestState.DELETING, own | {"instance_uuid": instance(4), "steps": ["prepare"]}),
        (11, RequestState.INITIAL, {"project_id": "foreign"}),
        (12, RequestState.BOUND, {"project_id": "foreign", "instance_uuid": instance(3)}),
    ):
        if state in HOLDING:
            columns |= {"hostname": NODE, "device_rp_uuid": provider(6)}
        if state in WORKING:
            columns |= {"deadline_at": BEGIN}
        request = inventory.request(profiles["one"], uuid=uuid(8, number), state=state, **columns)
        if state in HOLDING:
            handle = inventory.handle(parts[6], uuid=uuid(4, number))
            inventory.holder(handle, request_id=request["id"], project_id=request["project_id"])
    inventory.settle()


def instance(number: int) -> str:
    """The UUID of an instance."""
    return f"aaaaaaaa-{number:04}-4000-8000-000000000000"


def _add_parts(inventory: Inventory, node: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """A device for each provider, with its one part."""
    parts = {}
    for number, device, part, handle in (
        (1, {}, {}, {}),
        (2, {"status": "maintaining"}, {}, {}),
        (3, {"health": "unhealthy", "reason": "row remapping failed"}, {}, {}),
        (4, {"presence": "lost"}, {}, {}),
        (5, {}, {"presence": "lost"}, {}),
        (6, {}, {}, {"held": True}),
        (7, {}, {}, {"presence": "lost"}),
    ):
        made = inventory.device(node, uuid=uuid(1, number), **device)
        parts[number] = inventory.deployable(made, uuid=uuid(2, number), rp_uuid=provider(number), **part)
        for _ in range(FREE_HANDLES if number == 1 else 1):
            inventory.handle(parts[number], **handle)
    return parts
