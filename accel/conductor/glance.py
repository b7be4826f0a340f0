"""Glance, OpenStack's image service: images for programmable devices that somebody keeps there.

A conductor reads with an account of its own, which sees the images of all projects; whether a project may have one is
decided here as Glance decides it: it owns it, it is a member that has accepted it, or everybody may.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from oslo_config import cfg

from accel.conductor import openstack
from accel.conductor.openstack import body_of
from accel.conf.glance import GROUP
from accel.db.images import ImageRow
from accel.errors import ImageSourceRefused, ImageSourceUnavailable, InvalidValue
from accel.model import registry
from accel.model.registry import Facts, ImageKind

if TYPE_CHECKING:
    import requests
    from keystoneauth1.adapter import Adapter

_SERVICE = "image"
_PREFIXES = ("accel_", "accel:")
"""What the properties begin with that say what an image is: ``accel_kind``, ``accel_vendor`` and so on."""
_FOR_ALL = frozenset({"public", "community"})


class Described(NamedTuple):
    """What Glance says of an image."""

    facts: Facts
    digest: str
    """SHA-256; empty where Glance knows another one only."""
    size_bytes: int | None
    hash_name: str
    hash_value: str


def connect(conf: cfg.ConfigOpts) -> "Glance | None":
    """The Glance of a configuration; it is reached when it is first needed. None: there is none.

    :raises ConfigurationError: the text says which option is wrong
    """
    adapter = openstack.adapter_of(conf, GROUP.name, service_type=_SERVICE)
    return Glance(adapter) if adapter is not None else None


def list_opts() -> list[tuple[cfg.OptGroup, Sequence[cfg.Opt]]]:
    """What is keystoneauth's in the group, for the sample configuration."""
    return [(GROUP, openstack.options(_SERVICE))]


class Glance:
    """Speaks to Glance. Several threads may do so at once.

    :param adapter: signs in and finds the service
    """

    def __init__(self, adapter: "Adapter") -> None:
        self._adapter = adapter

    def describe(self, row: ImageRow) -> Described:
        """What Glance says of the image that one of ours is to be.

        :raises ImageSourceRefused: there is none that the project may have, or it is not whole
        :raises ImageSourceUnavailable: Glance does not answer
        """
        path = f"/v2/images/{quote(row.source_ref, safe='')}"
        with self._ask(path) as answer:
            found = body_of(answer)
        if not self._may_have(row.project_id, found, path):
            raise ImageSourceRefused(f"Glance has no image {row.source_ref} that the project may have")
        if found.get("status") != "active":
            raise ImageSourceRefused(f"image {row.source_ref} in Glance is {found.get('status')}, not active")
        name, value = str(found.get("os_hash_algo") or ""), str(found.get("os_hash_value") or "")
        size = found.get("size")
        return Described(
            facts=_facts(found),
            digest=value if name == "sha256" else "",
            size_bytes=size if isinstance(size, int) and size > 0 else None,
            hash_name=name,
            hash_value=value,
        )

    def read(self, row: ImageRow, described: Described, part_bytes: int) -> Iterator[bytes]:
        """The bytes of an image, checked by the hash that Glance has of them.

        :raises ImageSourceRefused: they are others, or not to be had
        :raises ImageSourceUnavailable: Glance does not answer
        """
        import requests  # noqa: PLC0415 - see accel.conductor.openstack

        known = described.hash_name in hashlib.algorithms_guaranteed and not described.hash_name.startswith("shake")
        digest = hashlib.new(described.hash_name, usedforsecurity=False) if known else None
        with self._ask(f"/v2/images/{quote(row.source_ref, safe='')}/file", stream=True) as answer:
            try:
                for part in answer.iter_content(part_bytes):
                    if digest is not None:
                        digest.update(part)
                    yield part
            except (requests.exceptions.RequestException, OSError) as error:
                raise ImageSourceUnavailable(f"Glance broke off: {error}") from error
        if digest is not None and digest.hexdigest() != described.hash_value:
            raise ImageSourceRefused(f"the bytes that Glance sent are not those that it has a {described.hash_name} of")

    def _may_have(self, project_id: str, found: Mapping[str, Any], path: str) -> bool:
        if found.get("owner") == project_id or found.get("visibility") in _FOR_ALL:
            return True
        if found.get("visibility") != "shared":
            return False
        try:
            with self._ask(f"{path}/members/{quote(project_id, safe='')}") as answer:
                return body_of(answer).get("status") == "accepted"
        except ImageSourceRefused:
            return False

    def _ask(self, path: str, *, stream: bool = False) -> "requests.Response":
        from keystoneauth1.exceptions import ClientException  # noqa: PLC0415 - see accel.conductor.openstack

        try:
            answer = self._adapter.request(path, "GET", raise_exc=False, stream=stream)
        except (ClientException, OSError) as error:  # the latter of a file of [glance] that is not there
            raise ImageSourceUnavailable(f"Glance cannot be asked: {error}") from error
        if answer.status_code == 200:
            return answer
        answer.close()
        kind = ImageSourceUnavailable if answer.status_code >= 500 or answer.status_code == 401 else ImageSourceRefused
        raise kind(f"Glance answers {answer.status_code} {answer.reason}")


def _facts(found: Mapping[str, Any]) -> Facts:
    """What the properties say.

    :raises ImageSourceRefused: they say what cannot be
    """
    said = {
        name.removeprefix(prefix): value
        for prefix in _PREFIXES
        for name, value in found.items()
        if name.startswith(prefix) and isinstance(value, str)
    }
    try:
        return Facts(
            kind=ImageKind(said["kind"]) if said.get("kind") else None,
            vendor=said.get("vendor", "")[:255],
            platform=said.get("platform", "")[:255],
            region_ids=registry.read_ids(_ids(said, "region"), field="accel_region_ids"),
            function_ids=registry.read_ids(_ids(said, "function"), field="accel_function_ids"),
        )
    except (ValueError, InvalidValue) as error:
        raise ImageSourceRefused(f"the properties of the image in Glance are wrong: {error}") from error


def _ids(said: Mapping[str, str], what: str) -> list[str]:
    text = said.get(f"{what}_ids") or said.get(f"{what}_id") or ""
    return [one.strip() for one in text.split(",") if one.strip()]
