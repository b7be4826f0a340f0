"""Programming: an image into a part of a device."""

from http import HTTPStatus
from typing import Any

from accel.api.call import Call, Reply
from accel.api.handlers import deployables
from accel.api.refusals import BadRequest
from accel.api.uuids import checked_uuid
from accel.api.views import jobs as job_views
from accel.db import deployables as db_deployables
from accel.db import image_orders, images, jobs
from accel.db.engine import Connection
from accel.db.jobs import JobRow
from accel.errors import JobFailed
from accel.model.job import JobKind, JobState, NewJob

_BEGINS_WITHIN_SECONDS = 120
"""Who waits for a device is not to wait for a node that is away."""


def program(call: Call) -> Any:
    """Load an image into a deployable, and wait until it is loaded.

    :raises NotFound: there is no such deployable, or no such image
    :raises Conflict: somebody holds something of the device; it, or the image, cannot be used
    :raises JobFailed: it could not be loaded
    :raises StillUnderWay: it takes longer than anybody waits
    """
    uuid = checked_uuid("uuid", call.arguments["uuid"])
    waits = dict(call.query).get("wait", True)
    if not waits and not call.says_more:
        raise BadRequest('Unknown argument: "wait"')
    if not waits:
        job = _order(call, uuid)
        return Reply(job_views.render(job, 0, base_url=call.base_url), HTTPStatus.ACCEPTED)
    with call.patience.seat():
        ended = call.patience.until_ended(call.database, _order(call, uuid).uuid)
    if ended.state != JobState.DONE:
        raise JobFailed(f"FPGA programming failed: {ended.error_text or ended.state}", ended.error_code)
    return Reply(deployables.body_of(call, uuid), HTTPStatus.OK)


def _order(call: Call, uuid: str) -> JobRow:
    wanted = checked_uuid("image_uuid", call.body[0]["value"][0]["image_uuid"])

    def transaction(connection: Connection) -> JobRow:
        deployable = db_deployables.get(connection, uuid)
        row = image_orders.find_image(connection, wanted, scope=call.scope)
        lists = images.lists_of(connection, [row])[row.id]
        part = image_orders.part_for(connection, deployable.id, row, lists)
        order = image_orders.order_of(row, lists, requires_signature=call.imaging.requires_signature)
        new = NewJob(
            kind=JobKind.PROGRAM,
            device_uuid=part.device_uuid,
            deployable_uuid=part.uuid,
            image=order,
            time_limit_seconds=call.imaging.program_limit.total_seconds(),
            begins_within_seconds=_BEGINS_WITHIN_SECONDS,
        )
        return jobs.get(connection, jobs.order_job(connection, new, origin=call.origin))

    row = call.database.write(transaction)
    call.claiming.leave_to_conductors()
    return row
