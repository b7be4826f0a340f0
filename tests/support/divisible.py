"""Devices that can be cut into parts, as rows."""

from typing import Any

from support.inventory import Inventory

from accel.model.mig import mig_scheme
from accel.model.partition import Cut, Part
from accel.model.partition_facts import facts

A100 = mig_scheme("NVIDIA A100-SXM4-40GB", 40 << 30)
assert A100 is not None


def gpu(inventory: Inventory, node: Any, *parts: str, held_by: str | None = None, **columns: Any) -> dict[str, Any]:
    """A GPU with parts like ``3g.20gb@0``, or whole; the first part, or the card, may be held for a project."""
    made = [Part(id=str(number), profile=part.split("@")[0], start=int(part[-1])) for number, part in enumerate(parts)]
    told = dict(facts(Cut(scheme=A100, parts=tuple(made) if parts else None)))
    device = inventory.device(node, model="A100", address="0000:07:00.0", std_board_info=told, **columns)
    card = inventory.deployable(device)
    infos = [{"gpu_instance_id": part.id} for part in made] or [{"bus": "07"}]
    for number, info in enumerate(infos):
        handle = inventory.handle(card, info=info)
        if held_by is not None and number == 0:
            inventory.holder(handle, kind="pod", name="train", project_id=held_by)
    return device
