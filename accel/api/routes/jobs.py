"""What is done to devices on their nodes."""

from http import HTTPStatus

from accel.api.handlers import jobs
from accel.api.microversion import SAYS_MORE
from accel.api.route import Route
from accel.api.schemas import jobs as schemas

ROUTES = (
    Route(
        "GET",
        "/v2/jobs",
        jobs.index,
        policy="job:get_all",
        since=SAYS_MORE,
        query=schemas.QUERY,
        answer=schemas.JOBS,
    ),
    Route("GET", "/v2/jobs/{uuid}", jobs.show, policy="job:get_one", since=SAYS_MORE, answer=schemas.JOB),
    Route(
        "DELETE",
        "/v2/jobs/{uuid}",
        jobs.cancel,
        policy="job:cancel",
        since=SAYS_MORE,
        answer=schemas.JOB,
        success=HTTPStatus.ACCEPTED,
    ),
    Route(
        "POST",
        "/v2/jobs/{uuid}/retry",
        jobs.retry,
        policy="job:retry",
        since=SAYS_MORE,
        answer=schemas.JOB,
        success=HTTPStatus.ACCEPTED,
    ),
    Route("POST", "/v2/jobs/{uuid}/lift", jobs.lift, policy="job:lift", since=SAYS_MORE, answer=schemas.JOB),
)
