"""What devices are cut into."""

from http import HTTPStatus

from accel.api.handlers import partition
from accel.api.microversion import SAYS_MORE
from accel.api.route import Route
from accel.api.schemas import partition as schemas

ROUTES = (
    Route(
        "POST",
        "/v2/partition/plan",
        partition.plan,
        policy="partition:plan",
        since=SAYS_MORE,
        body=schemas.PLAN_WANTED,
        answer=schemas.PLANS,
    ),
    Route(
        "POST",
        "/v2/partition/apply",
        partition.apply,
        policy="partition:apply",
        since=SAYS_MORE,
        body=schemas.APPLY,
        answer=schemas.ORDERED,
        success=HTTPStatus.ACCEPTED,
    ),
)
