"""Short names for things: what a person types instead of a UUID."""

import re
from collections.abc import Sequence

from accel.cli.client import Client, Item
from accel.cli.errors import NothingFound, WrongUse

_SHOWN_CANDIDATES = 10
_UUID_PREFIX = re.compile(r"[0-9a-f-]{4,36}", re.IGNORECASE)


def device(client: Client, text: str) -> Item:
    """The device that a UUID or its beginning, an identity, a serial number, a PCI address or node/address means.

    :raises NothingFound: there is none
    :raises WrongUse: there are several
    """
    return _one(client, "devices", text)


def deployable(client: Client, text: str) -> Item:
    """The deployable that a UUID or its beginning, or a name means.

    :raises NothingFound: there is none
    :raises WrongUse: there are several
    """
    return _one(client, "deployables", text)


def node(client: Client, text: str) -> Item:
    """The node that a name, a UUID or the beginning of one means; a name goes first.

    :raises NothingFound: there is none
    :raises WrongUse: there are several
    """
    named = list(client.items("/nodes", {"name": text}, limit=1))
    if named or _UUID_PREFIX.fullmatch(text) is None:
        return _only(named, "node", text)
    return _only([item for item in client.items("/nodes") if item["uuid"].startswith(text.lower())], "node", text)


def profile(client: Client, text: str) -> Item:
    """The device profile that a name, a UUID or the beginning of one means; a name goes first.

    :raises NothingFound: there is none
    :raises WrongUse: there are several
    """
    found = list(client.items("/device_profiles", {"ref": text}, limit=_SHOWN_CANDIDATES + 1))
    named = [item for item in found if item["name"] == text]
    return _only(named or found, "profile", text)


def handles(client: Client, text: str, *, limit: int | None = None) -> list[Item]:
    """The attach handle that a text means, or all handles of the device that it means.

    :param limit: at most so many; None for all
    :raises NothingFound: there is no such handle and no such device
    :raises WrongUse: there are several
    """
    found = list(client.items("/attach_handles", {"ref": text}, limit=limit))
    exact = [item for item in found if item["uuid"] == text.lower()]
    of_devices = {item["device_uuid"]: item for item in exact or found}
    if len(of_devices) > 1:
        raise WrongUse(_several("device", text, [f"{uuid}  {item['node']}" for uuid, item in of_devices.items()]))
    if not found:
        device(client, text)  # it may have none
    return exact or found


def request(client: Client, text: str) -> Item:
    """The accelerator request that a UUID or its beginning means, or the UUID of an instance that has one.

    :raises NothingFound: there is none
    :raises WrongUse: there are several
    """
    found = list(client.items("/accelerator_requests", {"ref": text}, limit=_SHOWN_CANDIDATES + 1))
    return _only(found, "request", text)


def job(client: Client, text: str) -> Item:
    """The job that a UUID or its beginning means.

    :raises NothingFound: there is none
    :raises WrongUse: there are several
    """
    return _only(list(client.items("/jobs", {"ref": text}, limit=_SHOWN_CANDIDATES + 1)), "job", text)


def claim(client: Client, text: str) -> Item:
    """The claim that a UUID or its beginning means, or the consumer that has one.

    :raises NothingFound: there is none
    :raises WrongUse: there are several
    """
    return _only(list(client.items("/placements/claims", {"ref": text}, limit=_SHOWN_CANDIDATES + 1)), "claim", text)


def image(client: Client, text: str) -> Item:
    """The image that a name, ``name:version``, a UUID or the beginning of one means; a name goes first.

    :raises NothingFound: there is none
    :raises WrongUse: there are several
    """
    name, colon, version = text.partition(":")
    asked = {"name": name, "version": version} if colon else {"ref": text}
    found = list(client.items("/images", asked, limit=_SHOWN_CANDIDATES + 1))
    named = [item for item in found if item["name"] == name]
    return _only(named or found, "image", text)


def image_key(client: Client, text: str) -> Item:
    """The key of images that a name, a UUID or the beginning of one means; a name goes first.

    :raises NothingFound: there is none
    :raises WrongUse: there are several
    """
    found = list(client.items("/image_keys", {"ref": text}, limit=_SHOWN_CANDIDATES + 1))
    return _only([item for item in found if item["name"] == text] or found, "key", text)


def _one(client: Client, collection: str, text: str) -> Item:
    found = list(client.items(f"/{collection}", {"ref": text}, limit=_SHOWN_CANDIDATES + 1))
    return _only(found, collection.removesuffix("s"), text)


def _only(found: list[Item], noun: str, text: str) -> Item:
    exact = [item for item in found if item["uuid"] == text.lower()]
    candidates = exact or found
    if not candidates:
        raise NothingFound(f"there is no {noun} {text}")
    if len(candidates) > 1:
        raise WrongUse(_several(noun, text, [f"{item['uuid']}  {_described(item)}" for item in candidates]))
    return candidates[0]


def _several(noun: str, text: str, candidates: Sequence[str]) -> str:
    lines = [f"  {candidate}" for candidate in candidates[:_SHOWN_CANDIDATES]]
    if len(candidates) > _SHOWN_CANDIDATES:
        lines.append("  …")
    return "\n".join([f"{text} means several {noun}s; say which:", *lines])


def _described(item: Item) -> str:
    if "consumer" in item:
        return "  ".join(part for part in (item["consumer"], ", ".join(item["nodes"])) if part)
    if "device_profile_name" in item:
        return f"{item['device_profile_name']}  {item['state']}"
    if "address" in item:
        where = "/".join(part for part in (item["node"], item["address"]) if part)
        return f"{where}  {item['model']}"
    if "signature_state" in item:
        return f"{item['name']}:{item['version']}"
    return str(item["name"])
