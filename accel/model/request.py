"""An accelerator request (ARQ): one accelerator asked for under a device profile, from its making to its end.

``TRANSITIONS`` is the one list of what can become of a request. The database writes what it allows and nothing else,
the API shows the states, and the documentation draws it.

Where something is to be done on the node before a workload can have the accelerator, or after it has had it, a
request is in a state of work meanwhile; a conductor is at it, and when that one dies another goes on. Where nothing
is, which is so for all that is handed over as a PCI function, one transaction leads from rest to rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from accel.model.profile import RESOURCES, Group, Groups

_TWO_FUNCTIONS = ("trait:CUSTOM_FPGA_XILINX", "required", "resources:FPGA")
"""Of such a board the management and the user function are handed out one by one: two requests for each."""


class RequestState(StrEnum):
    """Where a request is. The names are those that OpenStack's clients know."""

    INITIAL = "Initial"
    """It is made and has nothing yet."""
    BIND_STARTED = "BindStarted"
    """It holds an attach handle, which is being made ready on the node."""
    BOUND = "Bound"
    """It holds an attach handle, which a workload may use."""
    BIND_FAILED = "BindFailed"
    """It was to be bound and has nothing; its reason says why. It may be bound again."""
    UNBIND_STARTED = "UnbindStarted"
    """It still holds its attach handle, whose use is being undone on the node."""
    UNBOUND = "Unbound"
    """It has given back what it held, and may be bound again."""
    DELETING = "Deleting"
    """It goes as soon as the use of its attach handle is undone on the node."""


class Act(StrEnum):
    """What happens to a request."""

    BIND = "bind"
    BEGIN_BIND = "begin to bind"
    FINISH_BIND = "finish binding"
    FAIL_BIND = "fail to bind"
    UNBIND = "unbind"
    BEGIN_UNBIND = "begin to unbind"
    FINISH_UNBIND = "finish unbinding"
    DELETE = "delete"
    BEGIN_DELETE = "begin to delete"
    FINISH_DELETE = "finish deleting"
    FORFEIT = "forfeit"


@dataclass(frozen=True, slots=True)
class Transition:
    """What an act leads to."""

    before: frozenset[RequestState]
    """The states in which it may happen."""
    after: RequestState | None
    """None: the request is no more."""
    meaning: str


_AT_REST_WITHOUT_HANDLE = frozenset({RequestState.INITIAL, RequestState.UNBOUND, RequestState.BIND_FAILED})

HOLDING = frozenset({RequestState.BIND_STARTED, RequestState.BOUND, RequestState.UNBIND_STARTED, RequestState.DELETING})
"""In these states a request holds exactly one attach handle, in all others none."""

WORKING = frozenset({RequestState.BIND_STARTED, RequestState.UNBIND_STARTED, RequestState.DELETING})
"""In these states a conductor is at work, and none lasts for ever."""

RESOLVED = frozenset({RequestState.BOUND, RequestState.BIND_FAILED, RequestState.DELETING})
"""In these states Nova waits for nothing more."""

TRANSITIONS: dict[Act, Transition] = {
    Act.BIND: Transition(_AT_REST_WITHOUT_HANDLE, RequestState.BOUND, "takes a handle that needs no work"),
    Act.BEGIN_BIND: Transition(
        _AT_REST_WITHOUT_HANDLE, RequestState.BIND_STARTED, "takes a handle that is to be made ready"
    ),
    Act.FINISH_BIND: Transition(frozenset({RequestState.BIND_STARTED}), RequestState.BOUND, "the handle is ready"),
    Act.FAIL_BIND: Transition(
        frozenset({RequestState.BIND_STARTED}),
        RequestState.BIND_FAILED,
        "the handle cannot be made ready, or not in time, and is given back",
    ),
    Act.UNBIND: Transition(
        _AT_REST_WITHOUT_HANDLE | {RequestState.BOUND}, RequestState.UNBOUND, "gives back what needs no work"
    ),
    Act.BEGIN_UNBIND: Transition(
        frozenset({RequestState.BIND_STARTED, RequestState.BOUND}),
        RequestState.UNBIND_STARTED,
        "the use of the handle is to be undone",
    ),
    Act.FINISH_UNBIND: Transition(
        frozenset({RequestState.UNBIND_STARTED}), RequestState.UNBOUND, "the use is undone, the handle given back"
    ),
    Act.DELETE: Transition(_AT_REST_WITHOUT_HANDLE | {RequestState.BOUND}, None, "gives back what needs no work"),
    Act.BEGIN_DELETE: Transition(
        frozenset({RequestState.BIND_STARTED, RequestState.BOUND, RequestState.UNBIND_STARTED}),
        RequestState.DELETING,
        "the use of the handle is to be undone",
    ),
    Act.FINISH_DELETE: Transition(frozenset({RequestState.DELETING}), None, "the use is undone, the handle given back"),
    Act.FORFEIT: Transition(
        frozenset({RequestState.BIND_STARTED, RequestState.BOUND, RequestState.UNBIND_STARTED}),
        RequestState.BIND_FAILED,
        "an audit finds that it holds nothing",
    ),
}
"""Everything that can happen to a request. What is not here cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindTarget:
    """For what a request is to be bound, and to what."""

    hostname: str
    """The node, by the name that Nova knows it by."""
    device_rp_uuid: str
    """The deployable, by the UUID of its provider in OpenStack Placement."""
    instance_uuid: str
    project_id: str | None = None
    """The project that the request is to belong to from now on; None: the one that it belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChange:
    """What is to become of one request."""

    request: str
    """Its UUID."""
    target: BindTarget | None = None
    """None: it is to be unbound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """On whose behalf something is changed, as history tells it."""

    request_id: str
    """Of the call of the API."""
    user_id: str | None = None
    project_id: str | None = None
    sees_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChanges:
    """What is to become of some requests: all of it or nothing."""

    changes: tuple[RequestChange, ...]
    caller: Caller


@dataclass(frozen=True, slots=True)
class Wanted:
    """One accelerator that a profile asks for."""

    group_index: int
    resource_class: str


def accelerators_of(groups: Groups) -> Iterator[Wanted]:
    """What a profile asks for, one by one, in the order of its groups.

    Amounts of old profiles may be zero or less: they ask for nothing.
    """
    for index, group in enumerate(groups):
        for resource_class, amount in amounts_of(group).items():
            for _ in range(amount):
                yield Wanted(index, resource_class)


def amounts_of(group: Group) -> dict[str, int]:
    """How many requests a group makes for each resource class."""
    trait, required, doubled = _TWO_FUNCTIONS
    factor = 2 if group.get(trait) == required else 1
    return {
        name: amount * (factor if name == doubled.removeprefix(RESOURCES) else 1)
        for name, amount in whole_amounts_of(group).items()
    }


def whole_amounts_of(group: Group) -> dict[str, int]:
    """How many accelerators of each resource class a group asks for; a board of two functions is one."""
    return {key.removeprefix(RESOURCES): int(value) for key, value in group.items() if key.startswith(RESOURCES)}
