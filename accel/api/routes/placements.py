"""Where something fits, and what was taken there."""

from http import HTTPStatus

from accel.api.handlers import candidates, claims, explanations
from accel.api.microversion import SAYS_MORE
from accel.api.route import Route
from accel.api.schemas import explanations as explanation_schemas
from accel.api.schemas import placements as schemas

ROUTES = (
    Route(
        "POST",
        "/v2/placements/candidates",
        candidates.find,
        policy="placement:candidates",
        since=SAYS_MORE,
        body=schemas.CANDIDATES_WANTED,
        answer=schemas.CANDIDATES,
    ),
    Route(
        "POST",
        "/v2/placements/explain",
        explanations.show,
        policy="placement:explain",
        since=SAYS_MORE,
        body=explanation_schemas.EXPLAIN,
        answer=explanation_schemas.EXPLANATION,
    ),
    Route(
        "POST",
        "/v2/placements/whatif",
        explanations.imagine,
        policy="placement:whatif",
        since=SAYS_MORE,
        body=explanation_schemas.WHATIF,
        answer=explanation_schemas.OUTCOME,
    ),
    Route(
        "GET",
        "/v2/placements/free",
        explanations.free,
        policy="placement:free",
        since=SAYS_MORE,
        query=explanation_schemas.FREE_QUERY,
        answer=explanation_schemas.FREE,
    ),
    Route(
        "POST",
        "/v2/placements/claims",
        claims.create,
        policy="claim:create",
        since=SAYS_MORE,
        body=schemas.CLAIM_WANTED,
        answer=schemas.CLAIM,
        success=HTTPStatus.CREATED,
        other_successes=(HTTPStatus.OK,),
    ),
    Route(
        "GET",
        "/v2/placements/claims",
        claims.index,
        policy="claim:get_all",
        since=SAYS_MORE,
        query=schemas.QUERY,
        answer=schemas.CLAIMS,
    ),
    Route(
        "GET",
        "/v2/placements/claims/{uuid}",
        claims.show,
        policy="claim:get_one",
        since=SAYS_MORE,
        answer=schemas.CLAIM,
    ),
    Route(
        "POST",
        "/v2/placements/claims/{uuid}/renew",
        claims.renew,
        policy="claim:renew",
        since=SAYS_MORE,
        body=schemas.RENEW,
        answer=schemas.CLAIM,
    ),
    Route(
        "DELETE",
        "/v2/placements/claims/{uuid}",
        claims.delete,
        policy="claim:delete",
        since=SAYS_MORE,
        success=HTTPStatus.NO_CONTENT,
    ),
)
