"""What operators have done to devices."""

from http import HTTPStatus

from accel.api.handlers import orders
from accel.api.microversion import SAYS_MORE
from accel.api.route import Route
from accel.api.schemas import jobs
from accel.api.schemas import orders as schemas

ROUTES = (
    Route(
        "POST",
        "/v2/jobs",
        orders.create,
        policy="device:act",
        since=SAYS_MORE,
        body=schemas.ORDER,
        answer=jobs.JOB,
        success=HTTPStatus.ACCEPTED,
    ),
)
