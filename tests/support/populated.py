"""A small fleet with one of everything, whose UUIDs tests can name."""

from datetime import timedelta

from support.inventory import BEGIN, Inventory

from accel.db.engine import Database


def uuid(kind: int, number: int) -> str:
    """``uuid(1, 2)`` is the second device.

    Kinds: 1 device, 2 deployable, 3 attribute, 4 handle, 5 node, 6 event, 7 device profile, 8 accelerator
    request, 9 resource provider, by the number of the deployable.
    """
    return f"{kind}0000000-0000-4000-8000-{number:012}"


CLAIM = "c0000000-0000-4000-8000-000000000001"
"""The UUID of the claim of placement."""


def populate(database: Database) -> None:
    """Two nodes: ``alpha`` is heard and has two GPUs, one of them cut in two; ``beta`` is silent. And two profiles, one
    of them asked for by a request.
    """
    inventory = Inventory(database)
    alpha = inventory.node(
        "alpha",
        uuid=uuid(5, 1),
        rack="r1",
        labels={"zone": "a"},
        numa=[{"id": 0, "cpus": "0-15", "memory_bytes": 1 << 36}, {"id": 1, "cpus": "16-31", "memory_bytes": 1 << 36}],
    )
    beta = inventory.node("beta", uuid=uuid(5, 2), state="offline", rack="r2")
    inventory.driver(alpha, "nvidia")
    inventory.driver(
        beta, "fake", failure_kind="crashed", failure_message="it broke", failure_hint="mend it", changed_at=BEGIN
    )
    _add_gpus(inventory, alpha)
    _add_fakes(inventory, beta)
    inventory.profile("gold", uuid=uuid(7, 1), description="first", updated_at=BEGIN)
    secret = inventory.profile("secret", uuid=uuid(7, 2), is_public=False, project_id="red", version=3)
    inventory.request(secret, uuid=uuid(8, 1))
    inventory.claim(uuid=CLAIM, lease_seconds=60, expires_at=BEGIN)
    inventory.event("node.added", uuid=uuid(6, 1), node="alpha", occurred_at=BEGIN)
    inventory.event(
        "device.added", uuid=uuid(6, 2), node="alpha", device_uuid=uuid(1, 1), occurred_at=BEGIN + timedelta(hours=1)
    )
    inventory.event("node.offline", uuid=uuid(6, 3), node="beta", occurred_at=BEGIN + timedelta(hours=2))


def _add_gpus(inventory: Inventory, node: dict[str, object]) -> None:
    nvlink = {"kind": "nvlink", "width": 12}
    first = inventory.device(
        node,
        uuid=uuid(1, 1),
        driver="nvidia",
        type="GPU",
        vendor="10de",
        product="20b0",
        model="A100",
        identity="GPU-1",
        address="0000:3b:00.0",
        serial="S-1",
        kernel_driver="nvidia",
        numa_node=0,
        links=[{"peer": "GPU-2", **nvlink}],
    )
    second = inventory.device(
        node,
        uuid=uuid(1, 2),
        driver="nvidia",
        type="GPU",
        vendor="10de",
        product="20b0",
        model="A100",
        identity="GPU-2",
        address="0000:af:00.0",
        numa_node=1,
        links=[{"peer": "GPU-1", **nvlink}],
        health="unhealthy",
        reason="row remapping failed",
    )
    card = inventory.deployable(first, "alpha_0000:3b:00.0", uuid=uuid(2, 1), num_accelerators=0)
    inventory.attribute(card, "memory_bytes", str(80 << 30), uuid=uuid(3, 1))
    for number, held in ((2, True), (3, False)):
        part = inventory.deployable(
            card, f"alpha_0000:3b:00.0_mig{number}", uuid=uuid(2, number), kind="mig", device_id=first["id"],
            parent_id=card["id"], root_id=card["id"],
        )  # fmt: skip
        inventory.attribute(part, "rc", "CUSTOM_MIG_3G_40GB")
        info = {"uuid": f"MIG-{number}"}
        inventory.handle(part, uuid=uuid(4, number), type="MIG", info=info, held=held)
    inventory.handle(inventory.deployable(second, "alpha_0000:af:00.0", uuid=uuid(2, 4)), uuid=uuid(4, 4))


def _add_fakes(inventory: Inventory, node: dict[str, object]) -> None:
    fake = inventory.device(node, uuid=uuid(1, 3))
    part = inventory.deployable(fake, "beta_FakeDevice", uuid=uuid(2, 5), num_accelerators=2, rp_uuid=uuid(9, 5))
    inventory.attribute(part, "traits1", "CUSTOM_FAKE_DEVICE", uuid=uuid(3, 2))
    inventory.attribute(part, "rc", "FPGA", uuid=uuid(3, 3))
    inventory.attribute(part, "colour", "red", driver_key=None)
    inventory.attribute(part, "colour", "blue", driver_key=None)
    for number in (5, 6):
        inventory.handle(part, uuid=uuid(4, number))
    inventory.device(
        node,
        uuid=uuid(1, 4),
        type="NVME",
        vendor="144d",
        model="PM1733",
        presence="lost",
        lost_at=BEGIN,
        health="unknown",
    )
    inventory.device(node, uuid=uuid(1, 5), type="NVME", vendor="144d", model="PM1733", status="maintaining")
