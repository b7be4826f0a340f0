"""Rules about the questions of a kube-scheduler. It sees what all projects' devices have room for."""

from accel.policies.base import ADMIN_OR_SERVICE, rule

RULES = [
    rule(
        "kubernetes:filter",
        ADMIN_OR_SERVICE,
        "Ask on which nodes a pod finds what it needs.",
        "POST /v2/kubernetes/filter",
    ),
    rule(
        "kubernetes:prioritize",
        ADMIN_OR_SERVICE,
        "Ask which of some nodes suits a pod best.",
        "POST /v2/kubernetes/prioritize",
    ),
]
