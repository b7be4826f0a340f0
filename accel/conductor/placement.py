"""OpenStack Placement: the resource providers that Nova schedules onto.

Only what Placement itself says counts: an answer that is not in its form is no answer. A refusal has a code of
Placement's where it has one, and its words.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from oslo_config import cfg

from accel.conductor import openstack
from accel.conductor.openstack import body_of
from accel.conf.placement import GROUP
from accel.errors import AccelError, PlacementUnavailable
from accel.model.provider import Inventory, Seen

if TYPE_CHECKING:
    import requests
    from keystoneauth1.adapter import Adapter

_SERVICE = "placement"
_VERSION = "1.26"
"""The first in which all of an inventory may be reserved."""
_MOVES_PROVIDERS = "1.37"
"""The first in which a provider can be given to another parent."""
CUSTOM = "CUSTOM_"
"""With which the names begin of what is none of the standard's."""
_AWAY = frozenset({401, 403, 407, 408, 429, 502, 503, 504})
"""What is no answer to the question: who asks may not, or something between us is in the way."""
_ALLOCATED = frozenset({"placement.inventory.inuse", "placement.resource_provider.inuse"})
_TAKEN = "placement.duplicate_name"


class Refused(AccelError):
    """Placement does not do what it is asked, and the same will not do later; the text is its own."""

    code = "accel.placement_refused"


class Raced(Refused):
    """Somebody else has changed the same thing meanwhile, or it is gone: read it again."""

    code = "accel.placement_raced"


class Allocated(Refused):
    """Something of it is allocated."""

    code = "accel.placement_allocated"


class NameTaken(Refused):
    """There is a provider with this UUID or this name."""

    code = "accel.placement_name_taken"


class ProviderRow(NamedTuple):
    """A provider as lists of providers show it."""

    uuid: str
    name: str
    generation: int
    parent: str | None
    root: str


def connect(conf: cfg.ConfigOpts) -> "Placement | None":
    """The Placement of a configuration; it is reached when it is first needed. None: there is none.

    :raises ConfigurationError: the text says which option is wrong
    """
    adapter = openstack.adapter_of(conf, GROUP.name, service_type=_SERVICE)
    return Placement(adapter) if adapter is not None else None


def list_opts() -> list[tuple[cfg.OptGroup, Sequence[cfg.Opt]]]:
    """What is keystoneauth's in the group, for the sample configuration."""
    return [(GROUP, openstack.options(_SERVICE))]


class Placement:
    """Speaks to Placement. Several threads may do so at once.

    Every method raises PlacementUnavailable where Placement does not answer, and Refused where it answers with no.

    :param adapter: signs in and finds the service
    """

    def __init__(self, adapter: "Adapter") -> None:
        self._adapter = adapter
        self._traits: set[str] = set()
        """Those that are known to be there; what is not in it may be there as well."""
        self._classes: set[str] = set()

    # --- what there is ---

    def providers(self, **wanted: str) -> list[ProviderRow]:
        """Some providers.

        :param wanted: ``name``, ``uuid``, or ``in_tree``, the UUID of any provider of a tree; nothing for all of them
        """
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in wanted.items())
        answer = self._ask("GET", f"/resource_providers?{query}")
        return [_row(provider) for provider in _member(answer, "resource_providers", list)]

    def seen(self, row: ProviderRow, ours: frozenset[str]) -> Seen:
        """All there is of a provider that was listed.

        :param ours: the traits that are known to be put there by us
        :raises Raced: it has been changed meanwhile, or is gone
        """
        inventories = self._ask("GET", f"/resource_providers/{row.uuid}/inventories")
        traits = self._ask("GET", f"/resource_providers/{row.uuid}/traits")
        generations = {_member(answer, "resource_provider_generation", int) for answer in (inventories, traits)}
        if len(generations) != 1:
            raise Raced(f"provider {row.uuid} is being changed")
        return Seen(
            uuid=row.uuid,
            name=row.name,
            parent=row.parent,
            generation=generations.pop(),
            inventories={name: _inventory(one) for name, one in _member(inventories, "inventories", dict).items()},
            traits=frozenset(_member(traits, "traits", list)),
            ours=ours,
        )

    def allocations(self, uuid: str) -> dict[str, dict[str, int]]:
        """What is allocated of a provider, by consumer and resource class.

        :raises Raced: the provider is gone
        """
        answer = self._ask("GET", f"/resource_providers/{uuid}/allocations")
        found = _member(answer, "allocations", dict)
        return {consumer: dict(one["resources"]) for consumer, one in found.items()}

    # --- what there is to be ---

    def create(self, uuid: str, name: str, parent: str) -> ProviderRow:
        """Make a provider.

        :raises NameTaken: there is one with this UUID, or with this name
        """
        body = {"uuid": uuid, "name": name, "parent_provider_uuid": parent}
        return _row(self._ask("POST", "/resource_providers", body))

    def place(self, uuid: str, name: str, parent: str | None = None) -> ProviderRow:
        """Give a provider a name, and to another parent where one is given.

        :raises NameTaken: another one has this name
        :raises Raced: it is gone
        """
        body = {"name": name} if parent is None else {"name": name, "parent_provider_uuid": parent}
        version = _VERSION if parent is None else _MOVES_PROVIDERS
        return _row(self._ask("PUT", f"/resource_providers/{uuid}", body, version=version))

    def set_inventories(self, uuid: str, generation: int, inventories: Mapping[str, Inventory]) -> int:
        """Give a provider these inventories and no others; gives its new generation.

        :raises Raced: its generation is another one
        :raises Allocated: something is allocated of what is no more among them
        """
        self._make_classes(inventories)
        body = {"inventories": {name: _figures(one) for name, one in inventories.items()}}
        return self._set(uuid, "inventories", generation, body)

    def set_traits(self, uuid: str, generation: int, traits: Iterable[str]) -> int:
        """Give a provider these traits and no others; gives its new generation.

        :raises Raced: its generation is another one, or there is a trait no more
        """
        return self._set(uuid, "traits", generation, {"traits": sorted(traits)})

    def remove(self, uuid: str) -> None:
        """Delete a provider; one that is gone already is.

        :raises Allocated: something of it is allocated
        :raises Refused: somebody has put another provider below it
        """
        self._ask("DELETE", f"/resource_providers/{uuid}", may_be_gone=True)

    def known_traits(self, wanted: Iterable[str]) -> frozenset[str]:
        """Those of some traits that can be given to providers: custom ones are made where they are not there.

        A standard one that is newer than this Placement cannot.
        """
        traits = frozenset(wanted)
        unknown = self.unknown_traits(traits)
        for name in sorted(unknown):
            if name.startswith(CUSTOM):
                self._ask("PUT", f"/traits/{name}")
                self._traits.add(name)
        return traits & self._traits

    def unknown_traits(self, wanted: Iterable[str]) -> frozenset[str]:
        """Those of some traits that are not there."""
        traits = frozenset(wanted)
        doubtful = sorted(traits - self._traits)
        if doubtful:
            answer = self._ask("GET", f"/traits?name=in:{quote(','.join(doubtful), safe='')}")
            self._traits |= set(_member(answer, "traits", list))
        return traits - self._traits

    def _make_classes(self, classes: Iterable[str]) -> None:
        for name in sorted(set(classes) - self._classes):
            if name.startswith(CUSTOM):
                self._ask("PUT", f"/resource_classes/{name}")
            self._classes.add(name)

    def _set(self, uuid: str, what: str, generation: int, members: Mapping[str, object]) -> int:
        body = {"resource_provider_generation": generation, **members}
        answer = self._ask("PUT", f"/resource_providers/{uuid}/{what}", body)
        return int(_member(answer, "resource_provider_generation", int))

    def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        version: str = _VERSION,
        may_be_gone: bool = False,
    ) -> Mapping[str, Any]:
        """The body of the answer."""
        from keystoneauth1.exceptions import ClientException  # noqa: PLC0415 - see accel.conductor.openstack

        arguments = {} if body is None else {"json": body}
        try:
            answer = self._adapter.request(path, method, raise_exc=False, microversion=version, **arguments)
        except (ClientException, OSError) as error:  # the latter of a file of [placement] that is not there
            raise PlacementUnavailable(f"Placement cannot be asked: {error}") from error
        if answer.ok or (may_be_gone and answer.status_code == 404 and _faults(answer)):
            return body_of(answer)
        if answer.status_code == 400:
            # What we took for known may have been deleted by somebody.
            self._traits.clear()
            self._classes.clear()
        raise _refusal(answer, is_of_provider=path.startswith("/resource_providers/"))


def _refusal(answer: "requests.Response", *, is_of_provider: bool) -> AccelError:
    faults = _faults(answer)
    status = answer.status_code
    said = f"Placement answers {status}: {openstack.short(faults[0]['detail'] if faults else answer.text)}"
    if status in _AWAY or not faults or (status == 404 and not is_of_provider):
        return PlacementUnavailable(said)
    code = faults[0]["code"]
    if status == 409 and code in _ALLOCATED:
        return Allocated(said)
    if status == 409 and code == _TAKEN:
        return NameTaken(said)
    if status == 404 or (status == 409 and "cannot_delete_parent" not in code):
        return Raced(said)
    return Refused(said)


def _faults(answer: "requests.Response") -> list[dict[str, str]]:
    """The errors of an answer, in the form that Placement gives them; none where it is not Placement who answers."""
    faults = body_of(answer).get("errors")
    if not isinstance(faults, list) or not all(isinstance(fault, dict) for fault in faults):
        return []
    return [{"detail": str(fault.get("detail", "")), "code": str(fault.get("code", ""))} for fault in faults]


def _member(answer: Mapping[str, Any], name: str, kind: type) -> Any:
    found = answer.get(name)
    if not isinstance(found, kind):
        raise PlacementUnavailable(f"what answers is not Placement: its answer has no {name}")
    return found


def _row(provider: Mapping[str, Any]) -> ProviderRow:
    return ProviderRow(
        uuid=_member(provider, "uuid", str),
        name=_member(provider, "name", str),
        generation=_member(provider, "generation", int),
        parent=provider.get("parent_provider_uuid"),
        root=_member(provider, "root_provider_uuid", str),
    )


_FIGURES = ("total", "reserved", "min_unit", "max_unit", "step_size", "allocation_ratio")


def _figures(inventory: Inventory) -> dict[str, float]:
    return {name: getattr(inventory, name) for name in _FIGURES}


def _inventory(figures: Mapping[str, Any]) -> Inventory:
    return Inventory(**{name: figures[name] for name in _FIGURES})
