"""What was asked for lately, as far as it is still there: accelerator requests, those of claims among them."""

from collections import Counter
from collections.abc import Hashable
from typing import Any

from sqlalchemy import Connection, select

from accel.db.paging import AnySelect
from accel.db.tables import AcceleratorRequest
from accel.placement.demand import Shape

_COLUMNS = ("claim_id", "hostname", "project_id", "profile_id", "created_at", "resource_class")
_NEWEST: AnySelect = select(*(getattr(AcceleratorRequest, name) for name in _COLUMNS)).order_by(
    AcceleratorRequest.id.desc()
)


def shapes(connection: Connection, accelerators: int) -> Counter[Shape]:
    """How often each shape was asked for, by the newest requests for so many accelerators; in one statement.

    There is a row for each accelerator. Those of a claim that are on one node were asked of one node together; and so
    were those that one call has made of a profile, which have its time.
    """
    rows = connection.execute(_NEWEST.limit(accelerators)).all()
    asked: dict[Hashable, Counter[str]] = {}
    for row in rows:
        asked.setdefault(_together(row), Counter())[row.resource_class] += 1
    if len(rows) == accelerators and len(asked) > 1:
        del asked[_together(rows[-1])]  # the rest of it may be older
    return Counter(tuple(sorted(classes.items())) for classes in asked.values())


def _together(row: Any) -> Hashable:
    """What rows have in common that were asked of one node together."""
    if row.claim_id is not None:
        return row.claim_id, row.hostname
    return row.project_id, row.profile_id, row.created_at
