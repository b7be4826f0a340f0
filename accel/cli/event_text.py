"""Events in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from accel.cli.client import Item
from accel.cli.columns import plain
from accel.cli.deployable import handle_name

_NOTHING: tuple[Any, ...] = (None, "", [], {})
_TELLING = ("reason", "message")
_OF_REQUESTS = "request."
_OF_CLAIMS = "claim."
_OF_JOBS = "job."
_OF_HOLDERS = ("holder.added", "holder.released")


def told(event: Item) -> str:
    """An event in words: what, and what of it became what."""
    subject = event["subject"]
    if event["kind"].startswith(_OF_REQUESTS):
        subject = f"request {subject[:8]}"
    elif event["kind"].startswith(_OF_CLAIMS):
        subject = f"claim {subject[:8]}"
    elif event["kind"].startswith(_OF_JOBS):
        subject = f"job {subject[:8]}"
    elif event["kind"] in _OF_HOLDERS:
        subject = ""  # a UUID that nothing else is known by
    return ": ".join(filter(None, [subject, change(event)]))


def change(event: Item) -> str:
    """What of a thing became what, and why: ``health healthy → unhealthy: ECC errors``; nothing for one just new."""
    before, after = event["before"] or {}, event["after"] or {}
    if event["kind"].startswith(_OF_REQUESTS):
        return _change_of_request(before, after)
    if event["kind"].startswith(_OF_CLAIMS):
        return _change_of_claim(before, after)
    if event["kind"].startswith(_OF_JOBS):
        return _of_job(after)
    if event["kind"] in _OF_HOLDERS:
        return _of_holder(before, after)
    differences = ", ".join(_differences(before, after)) if before and after else ""
    told = [plain(after[key]) for key in _TELLING if after.get(key) and after.get(key) != before.get(key)]
    return ": ".join(filter(None, [differences, *told]))


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key), after.get(key)
        if old != new and key not in (*_TELLING, "hint"):
            yield f"{key} {_or_none(old)} → {_or_none(new)}"


def _or_none(value: Any) -> str:
    return "none" if value in _NOTHING else plain(value)


def _change_of_request(before: Item, after: Item) -> str:
    """Of an accelerator request: who has got what, who has given it back, and why.

    ``Initial → Bound: vm-1 has 0000:3b:00.0``
    """
    if not before and "info" not in after:
        return f"a {after['resource_class']} as in profile {after['device_profile']}"
    parts = [" → ".join([*([before["state"]] if before else []), after.get("state", "deleted")])]
    if "info" in after:
        parts.append(f"{_holder(after)} has {handle_name(after['info'])}")
    elif "info" in before:
        parts.append(f"{_holder(before)} gave back {handle_name(before['info'])}")
    return ": ".join([*parts, *([after["reason"]] if after.get("reason") else [])])


def _holder(told: Item) -> str:
    """Who has what a request holds."""
    claim = told.get("claim")
    return told.get("instance_uuid") or (f"claim {claim[:8]}" if claim else "it")


def _change_of_claim(before: Item, after: Item) -> str:
    """Of a claim of placement: what it is for, and until when it is held, unless it is over."""
    consumer, until = (after or before).get("consumer"), after.get("expires_at")
    return ", ".join(filter(None, [consumer and f"for {consumer}", until and f"until {until}"]))


def _of_job(after: Item) -> str:
    """What is done to what, and why it has failed: ``scrub of node-1_0000:3b:00.0: method zero``."""
    what = " of ".join(filter(None, [after.get("job"), after.get("deployable")]))
    arguments = ", ".join(f"{key} {value}" for key, value in (after.get("arguments") or {}).items())
    return ": ".join(filter(None, [what, arguments, (after.get("error") or {}).get("text")]))


def _of_holder(before: Item, after: Item) -> str:
    """Who has got what, or has it no more; a fence is named by the job that it is for."""
    told = after or before
    who = f"{told['kind']} {told['name'][:8] if told['kind'] == 'fence' else told['name']}"
    return f"{who} {'has' if after else 'gave back'} {handle_name(told['info'])}"
