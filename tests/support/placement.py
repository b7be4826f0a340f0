"""Nodes, cards and whole fleets for placement, each made in one line."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from accel.model.device import DeployableKind
from accel.placement.snapshot import Card, Handle, Host, Obstacle, Unit

GPU_MEMORY = 80 * 2**30
_SWITCHES = ("pci0000:00", "pci0000:40", "pci0000:80", "pci0000:c0")


def unit(
    name: str,
    *,
    free: int = 1,
    held: int = 0,
    resource_class: str = "PGPU",
    traits: Iterable[str] = (),
    **fields: Any,
) -> Unit:
    """A unit with so many handles free and held; its UUIDs are made of its name."""
    return Unit(
        uuid=f"unit {name}",
        provider=f"provider {name}",
        name=name,
        resource_class=resource_class,
        traits=frozenset(traits),
        free=tuple(Handle(f"handle {name} {number}", "PCI") for number in range(free)),
        held=held,
        **fields,
    )


def card(name: str, *units: Unit, **fields: Any) -> Card:
    """A card with these units."""
    return Card(**{"uuid": f"card {name}", "type": "GPU", "vendor": "10de", "model": "H100", **fields}, units=units)


def gpu(
    name: str, *, is_free: bool = True, traits: Iterable[str] = (), obstacle: str = Obstacle.NONE, **fields: Any
) -> Card:
    """A GPU that is had as a whole or not at all."""
    figures = {"memory_bytes": str(GPU_MEMORY)}
    free, held = (1, 0) if is_free and not obstacle else (0, int(not is_free))
    return card(name, unit(name, free=free, held=held, traits=traits, figures=figures), obstacle=obstacle, **fields)


def gpus(node: str, free: str, **fields: Any) -> tuple[Card, ...]:
    """GPUs of one node, one for each letter: ``.`` is free, ``x`` held. Each half is on a NUMA node, each two are on
    one PCIe switch, none is linked.
    """
    return tuple(
        gpu(
            f"{node}.{number}",
            is_free=letter == ".",
            numa_node=number * 2 // len(free),
            pci_path=(_SWITCHES[number * 2 // len(free)], f"switch {number // 2}", f"port {number}"),
            **fields,
        )
        for number, letter in enumerate(free)
    )


def linked(cards: Sequence[Card], *sets: Iterable[int]) -> tuple[Card, ...]:
    """The cards with links between any two of each set; of all of them where there is none."""
    pairs = [pair for numbers in sets or (range(len(cards)),) for pair in combinations(numbers, 2)]
    links: list[dict[str, int]] = [{} for _ in cards]
    for a, b in pairs:
        links[a][cards[b].uuid] = links[b][cards[a].uuid] = 4
    return tuple(replace(one, links=peers) for one, peers in zip(cards, links, strict=True))


def with_vfs(name: str, *, free: int, held: int = 0, **fields: Any) -> Card:
    """A network card with a pool of virtual functions."""
    pool = unit(name, free=free, held=held, resource_class="SRIOV_NET_VF", kind=DeployableKind.VF_POOL)
    return card(name, pool, type="NIC", vendor="15b3", model="ConnectX", **fields)


def with_slices(name: str, slices: str, **fields: Any) -> Card:
    """A GPU that is cut into MIG slices: ``.`` is free, ``x`` held."""
    units = [
        unit(
            f"{name}.{number}",
            free=int(letter == "."),
            held=int(letter == "x"),
            kind=DeployableKind.MIG,
            resource_class="VGPU",
        )
        for number, letter in enumerate(slices)
    ]
    return card(name, *units, **fields)


def node(name: str, *cards: Card, labels: Mapping[str, str] | None = None, **fields: Any) -> Host:
    """A node that is online."""
    return Host(name=name, cards=cards, labels=labels or {}, **fields)
