"""What does not add up between attach handles, who holds them, and accelerator requests."""

from dataclasses import dataclass
from enum import StrEnum

from accel.model.request import Caller


class AuditSubject(StrEnum):
    """What an audit looks at."""

    ALLOCATIONS = "allocations"
    """Attach handles, who holds them, and accelerator requests."""
    PLACEMENT = "placement"
    """What OpenStack Placement has, beside what is recorded."""


class FindingKind(StrEnum):
    """What can be the matter. Names stay as they are once released."""

    HOLDER_WITHOUT_REQUEST = "holder_without_request"
    """An instance holds a handle, and no request says why."""
    REQUEST_AT_REST_HOLDS = "request_at_rest_holds"
    """A request that should hold nothing holds a handle."""
    REQUEST_HOLDS_NOTHING = "request_holds_nothing"
    """A request that should hold a handle holds none."""
    WORK_OVERDUE = "work_overdue"
    """The work on a request has not come to an end in time."""
    INSTANCE_GONE = "instance_gone"
    """A request is for an instance that Nova does not know."""
    HELD_BUT_LOST = "held_but_lost"
    """Somebody holds what is lost."""
    NODE_UNKNOWN = "node_unknown"
    """Placement has no provider for a node, so it has none for its devices."""
    PROVIDER_MISSING = "provider_missing"
    """Placement has no provider for a deployable."""
    PROVIDER_DIFFERS = "provider_differs"
    """The provider of a deployable is not as it should be."""
    PROVIDER_SURPLUS = "provider_surplus"
    """A provider of ours stands for no deployable of its node."""
    PROVIDER_ORPHANED = "provider_orphaned"
    """A provider that looks like ours is below a node that is not recorded."""
    ALLOCATION_WITHOUT_REQUEST = "allocation_without_request"
    """Something is allocated of a provider, and no bound request says for what."""
    REQUEST_WITHOUT_ALLOCATION = "request_without_allocation"
    """A request is bound for an instance that has nothing allocated of the provider."""


MENDS: dict[FindingKind, str | None] = {
    FindingKind.HOLDER_WITHOUT_REQUEST: "the handle is given back",
    FindingKind.REQUEST_AT_REST_HOLDS: "the handle is given back",
    FindingKind.REQUEST_HOLDS_NOTHING: "the request becomes BindFailed, or goes where it is to be deleted",
    FindingKind.WORK_OVERDUE: "another conductor takes up the work",
    FindingKind.INSTANCE_GONE: "the request is deleted and gives back what it holds",
    FindingKind.HELD_BUT_LOST: None,  # the device may come back, and then whoever holds it has it
    FindingKind.NODE_UNKNOWN: None,  # nova-compute makes it when it starts on the node
    FindingKind.PROVIDER_MISSING: "it is made",
    FindingKind.PROVIDER_DIFFERS: "it is made equal",
    FindingKind.PROVIDER_SURPLUS: "it is deleted, or reserved while something of it is allocated",
    FindingKind.PROVIDER_ORPHANED: None,  # another accelerator service may have made it
    FindingKind.ALLOCATION_WITHOUT_REQUEST: None,  # Nova allocates before it binds
    FindingKind.REQUEST_WITHOUT_ALLOCATION: None,  # whoever bound it has gone past Nova
}
"""What mending does for each kind; None: nothing, a person is to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that does not add up."""

    kind: FindingKind
    subject: str
    """The UUID of the request, or of the holding, provider, consumer or node, where it is about that."""
    node: str | None = None
    project_id: str | None = None
    text: str
    """What is the matter, in words."""
    is_mended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditWanted:
    """That somebody wants to know what does not add up."""

    caller: Caller
    fix: bool = False
    """Whether to mend what can be mended."""
    of: AuditSubject = AuditSubject.ALLOCATIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What does not add up."""

    findings: tuple[Finding, ...] = ()
    left_out: tuple[str, ...] = ()
    """What was not looked for, and why, in words."""
