"""What a kube-scheduler asks. It names no version in a header: the answers are the same in all of them."""

from accel.api.handlers import kubernetes
from accel.api.route import Route
from accel.api.schemas import kubernetes as schemas

ROUTES = (
    Route(
        "POST",
        "/v2/kubernetes/filter",
        kubernetes.filter_nodes,
        policy="kubernetes:filter",
        body=schemas.ARGUMENTS,
        answer=schemas.FILTERED,
    ),
    Route(
        "POST",
        "/v2/kubernetes/prioritize",
        kubernetes.prioritize,
        policy="kubernetes:prioritize",
        body=schemas.ARGUMENTS,
        answer=schemas.PRIORITIES,
    ),
)
