"""Acts on devices that operators order by themselves, each a job: resets, scrubbing, virtual functions."""

from collections.abc import Mapping
from typing import Any

from accel.api.call import Call
from accel.api.views import jobs as views
from accel.db import jobs
from accel.db.engine import Connection
from accel.errors import InvalidValue
from accel.model.job import ARGUMENT_COUNT, ARGUMENT_METHOD, JobKind, NewJob

_FIELDS: Mapping[str, frozenset[str]] = {
    JobKind.RESET: frozenset(),
    JobKind.SCRUB: frozenset({"deployable_uuid", "method"}),
    JobKind.BLANK: frozenset({"deployable_uuid"}),
    JobKind.SET_VFS: frozenset({"count"}),
}
"""What each kind has to be told, and what no other one is."""
_ARGUMENTS = {"method": ARGUMENT_METHOD, "count": ARGUMENT_COUNT}


def create(call: Call) -> dict[str, Any]:
    """Have something done to a device that nobody has anything of; gives the job.

    :raises InvalidValue: a field is missing, or of no use for the kind
    :raises NotFound: there is no such device, or it has no such part
    :raises Conflict: the device is lost, or somebody has something of it
    """
    new = _new(call.body)

    def order(connection: Connection) -> dict[str, Any]:
        row = jobs.get(connection, jobs.order_job(connection, new, origin=call.origin))
        return views.render(row, jobs.fenced_by(connection, [row.uuid])[row.uuid], base_url=call.base_url)

    body = call.database.write(order)
    call.claiming.leave_to_conductors()
    return body


def _new(body: Mapping[str, Any]) -> NewJob:
    kind, wanted = body["kind"], _FIELDS[body["kind"]]
    for field in sorted(frozenset().union(*_FIELDS.values())):
        if (field in body) != (field in wanted):
            what = "given" if field in wanted else "left out"
            raise InvalidValue(field, body.get(field), f"right for the kind {kind}: it is to be {what}")
    return NewJob(
        kind=JobKind(kind),
        device_uuid=body["device_uuid"].lower(),
        deployable_uuid=body["deployable_uuid"].lower() if "deployable_uuid" in body else None,
        arguments={name: str(body[field]) for field, name in _ARGUMENTS.items() if field in body},
        time_limit_seconds=float(body.get("time_limit_seconds", 600)),
    )
