"""Who has an attach handle."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, select

from accel.db.tables import AttachHandle, Deployable, Holder


class Holding(NamedTuple):
    """Who has an attach handle of a deployable."""

    deployable: str
    """Its UUID."""
    kind: str
    name: str
    project_id: str | None
    """None: nobody's."""


def of_deployables(connection: Connection, uuids: Collection[str]) -> list[Holding]:
    """Who has something of some deployables, those first who have had it longest."""
    query = (
        select(Deployable.uuid, Holder.kind, Holder.name, Holder.project_id)
        .join_from(Deployable, AttachHandle, AttachHandle.deployable_id == Deployable.id)
        .join(Holder, Holder.attach_handle_id == AttachHandle.id)
        .where(Deployable.uuid.in_(sorted(uuids)))
        .order_by(Holder.id)
    )
    return [Holding._make(row) for row in connection.execute(query)]
