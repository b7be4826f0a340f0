"""Very many requests that are bound, for tests of what calls cost among them."""

from sqlalchemy import insert, select
from support.inventory import BEGIN, Inventory

from accel.db.engine import Database
from accel.db.tables import AcceleratorRequest, AttachHandle, Holder
from accel.model.request import RequestState


def add_live(database: Database, amount: int) -> None:
    """Add so many bound requests, each with a handle of a fleet of its own."""
    inventory = Inventory(database)
    inventory.fleet(amount // 10, 10)
    profile = inventory.profile("live")
    with database.writer() as connection:
        handles = connection.scalars(select(AttachHandle.id).order_by(AttachHandle.id)).all()
        requests = [
            {
                "id": number,
                "uuid": f"live-{number}",
                "project_id": "live",
                "state": RequestState.BOUND,
                "profile_id": profile["id"],
                "profile_name": "live",
                "group_index": 0,
                "group": {},
                "resource_class": "PGPU",
                "instance_uuid": f"vm-{number}",
                "reason": "",
                "steps": [],
                "created_at": BEGIN,
            }
            for number in range(1, amount + 1)
        ]
        holders = [
            {
                "uuid": f"holder-{row['id']}",
                "attach_handle_id": handle,
                "kind": "instance",
                "name": row["instance_uuid"],
                "project_id": "live",
                "request_id": row["id"],
                "created_at": BEGIN,
            }
            for row, handle in zip(requests, handles, strict=True)
        ]
        connection.execute(insert(AcceleratorRequest), requests)
        connection.execute(insert(Holder), holders)
    inventory.settle()
