"""Events in words."""

from typing import Any

import pytest

from accel.cli.event_text import change, told

HELD = {"instance_uuid": "vm-1", "info": {"domain": "0000", "bus": "3b", "device": "00", "function": "0"}}
NOON = "2026-11-21T12:00:00+00:00"
UUID = "8f0c12ab-7d1e-4a53-9c0f-1e2d3c4b5a69"

CLAIMED = {"instance_uuid": None, "claim": UUID, "info": HELD["info"]}


def event(before: dict[str, Any] | None, after: dict[str, Any] | None, kind: str = "device.changed") -> dict[str, Any]:
    return {"kind": kind, "subject": UUID, "before": before, "after": after}


def of_request(before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, Any]:
    return event(before, after, "request.something")


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (
            {"presence": "present", "reason": ""},
            {"presence": "lost", "reason": "fallen off its bus"},
            "presence present → lost: fallen off its bus",
        ),
        (None, {"kind": "crashed", "message": "segfault", "hint": "x"}, "segfault"),
        ({"numa_node": None}, {"numa_node": 1}, "numa_node none → 1"),
        (None, {"model": "A100"}, ""),
        ({"a": 1}, None, ""),
    ],
    ids=["changed", "failed", "not known before", "new", "gone"],
)
def test_a_change_says_what_became_what_and_why(
    before: dict[str, Any] | None, after: dict[str, Any] | None, text: str
) -> None:
    assert change(event(before, after)) == text


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (None, {"state": "Initial", "device_profile": "one", "resource_class": "PGPU"}, "a PGPU as in profile one"),
        ({"state": "Initial"}, {"state": "Bound", **HELD}, "Initial → Bound: vm-1 has 0000:3b:00.0"),
        (
            {"state": "BindStarted", **HELD},
            {"state": "BindFailed", "reason": "no answer of its node"},
            "BindStarted → BindFailed: vm-1 gave back 0000:3b:00.0: no answer of its node",
        ),
        ({"state": "Bound", **HELD}, {"state": "Unbound"}, "Bound → Unbound: vm-1 gave back 0000:3b:00.0"),
        ({"state": "Bound", **HELD}, None, "Bound → deleted: vm-1 gave back 0000:3b:00.0"),
        ({"state": "Initial"}, None, "Initial → deleted"),
        (None, {"state": "Bound", "resource_class": "PGPU", **CLAIMED}, "Bound: claim 8f0c12ab has 0000:3b:00.0"),
        ({"state": "Bound", **CLAIMED}, None, "Bound → deleted: claim 8f0c12ab gave back 0000:3b:00.0"),
        ({"state": "Bound", **HELD, "instance_uuid": None}, None, "Bound → deleted: it gave back 0000:3b:00.0"),
        (
            {"state": "Bound", **HELD},
            {"state": "Deleting", **HELD},
            "Bound → Deleting: vm-1 has 0000:3b:00.0",
        ),
    ],
    ids=[
        "made",
        "bound",
        "failed",
        "unbound",
        "deleted",
        "deleted unbound",
        "claimed",
        "released",
        "by whom is not said",
        "going",
    ],
)
def test_of_a_request_it_says_who_has_what(
    before: dict[str, Any] | None, after: dict[str, Any] | None, text: str
) -> None:
    assert change(of_request(before, after)) == text


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (None, {"consumer": "train", "expires_at": NOON}, f"claim 8f0c12ab: for train, until {NOON}"),
        (None, {"consumer": "", "expires_at": NOON}, f"claim 8f0c12ab: until {NOON}"),
        (None, {"consumer": "", "expires_at": None}, "claim 8f0c12ab"),
        ({"consumer": "train", "expires_at": NOON}, None, "claim 8f0c12ab: for train"),
    ],
    ids=["made", "made for nobody", "made for ever", "over"],
)
def test_of_a_claim_it_says_what_for_and_until_when(
    before: dict[str, Any] | None, after: dict[str, Any] | None, text: str
) -> None:
    assert told(event(before, after, "claim.something")) == text


def test_a_request_is_called_by_the_start_of_its_uuid() -> None:
    assert told(of_request({"state": "Initial"}, None)) == "request 8f0c12ab: Initial → deleted"
    assert told(event({"a": 1}, None)) == UUID


@pytest.mark.parametrize(
    ("kind", "after", "text"),
    [
        (
            "job.ordered",
            {"job": "scrub", "deployable": "node-1_0000:3b:00.0", "arguments": {"method": "zero"}},
            "job 8f0c12ab: scrub of node-1_0000:3b:00.0: method zero",
        ),
        ("job.started", {"job": "scrub"}, "job 8f0c12ab: scrub"),
        ("job.failed", {"job": "reset", "error": {"code": "x", "text": "it broke"}}, "job 8f0c12ab: reset: it broke"),
    ],
)
def test_a_job_is_told_by_what_is_done_to_what(kind: str, after: dict[str, Any], text: str) -> None:
    assert told(event(None, after, kind)) == text


def test_a_holder_is_told_by_who_it_is_and_what_it_has() -> None:
    fence = {"kind": "fence", "name": UUID, "handle": UUID, "info": HELD["info"]}
    assert told(event(None, fence, "holder.added")) == "fence 8f0c12ab has 0000:3b:00.0"
    assert (
        told(event(fence | {"kind": "pod", "name": "a/b"}, None, "holder.released")) == "pod a/b gave back 0000:3b:00.0"
    )
