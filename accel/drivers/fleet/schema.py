"""What a fleet file means: which keys it may have, what they stand for where they are left out.

The words for the people who write such files are in ``docs/drivers/fleet.rst``; a test compares its keys with ours.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from accel.drivers.fleet import document
from accel.drivers.fleet.catalogue import MODELS, CardModel
from accel.drivers.fleet.document import Entry
from accel.errors import InvalidFleet
from accel.model.device import DeviceType, LinkKind
from accel.model.layout import impossible
from accel.model.report import NumaNode

KEYS: Mapping[str, tuple[str, ...]] = {
    "file": ("nodes", "models", "faults"),
    "nodes": ("name", "count", "first", "rack", "nodes_per_rack", "labels", "kernel", "numa", "cards"),
    "numa": ("id", "cpus", "memory"),
    "cards": ("model", "count", "numa", "cards_per_switch", "switches_per_bridge", "links", "mig", "vfs"),
    "models": (
        "name",
        "type",
        "vendor",
        "product",
        "class",
        "kernel_driver",
        "memory",
        "capacity",
        "link",
        "link_width",
    ),
    "faults": ("node", "card", "state", "reason"),
}
"""Every key that a fleet file may have, by the section it stands in."""

MAX_NODES = 100_000
"""How many nodes one entry may stand for."""

MAX_NAME_LENGTH = 200
"""Characters of a node's name; the names of its deployables are longer and have 255 at most."""

_NODE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]|\{0(?::0\d\d?d)?\})*", re.ASCII)
_NUMBERED_NAME = re.compile(r"(?:[A-Za-z0-9._-]|\{0(?::0\d\d?d)?\})+", re.ASCII)
_HEX_ID = re.compile(r"[0-9a-f]{4}", re.ASCII)
_CLASS = re.compile(r"[0-9a-f]{6}", re.ASCII)
_CPU_LIST = re.compile(r"\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*", re.ASCII)
_NAME_EXPECTED = "a name of letters, digits, `.`, `_`, `-`, with {0} or {0:03d} where the number goes"

DEFAULT_NUMA = (
    NumaNode(id=0, cpus="0-31", memory_bytes=256 * 2**30),
    NumaNode(id=1, cpus="32-63", memory_bytes=256 * 2**30),
)
DEFAULT_KERNEL = "6.1.0-simulated"


class Links(StrEnum):
    """Which cards of a group are connected directly."""

    ALL = "all"
    PAIRS = "pairs"
    NONE = "none"


class State(StrEnum):
    """What is the matter with a card."""

    ABSENT = "absent"
    """Not there at all, as if pulled out."""
    LOST = "lost"
    """Fallen off its bus: its driver still knows of it."""
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"
    """Nothing can be said about its health."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardGroup:
    """Equal cards of a node."""

    model: CardModel
    count: int
    numa_nodes: tuple[int | None, ...]
    """The NUMA nodes that the cards are split over evenly; (None,) where the host does not say."""
    cards_per_switch: int
    """0 for cards that sit below a root port each."""
    switches_per_bridge: int
    links: Links
    mig: tuple[str, ...]
    vfs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Equal nodes, numbered."""

    name: str
    count: int
    first: int
    rack: str
    nodes_per_rack: int
    labels: Mapping[str, str]
    kernel: str
    numa: tuple[NumaNode, ...]
    cards: tuple[CardGroup, ...]

    def node_names(self) -> list[str]:
        """The name of each node."""
        return [self.name.format(number) for number in range(self.first, self.first + self.count)]

    def rack_of(self, index: int) -> str:
        """The rack of the index-th node."""
        return self.rack.format(index // self.nodes_per_rack + 1 if self.nodes_per_rack else 1)

    @property
    def total_cards(self) -> int:
        """How many cards each node has."""
        return sum(group.count for group in self.cards)

    @property
    def total_accelerators(self) -> int:
        """How many accelerators each node has at most: a card, or the parts that it is cut into."""
        return sum(group.count * max(1, group.vfs, len(group.mig)) for group in self.cards)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is the matter with one card."""

    state: State
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A whole fleet file."""

    groups: tuple[NodeGroup, ...]
    faults: Mapping[str, Mapping[int, Fault]]
    """By node name and number of the card."""


def read(path: Path) -> Description:
    """Read a fleet file.

    :raises InvalidFleet: it has a mistake; the text tells where and what is allowed
    """
    return _description(document.read(path))


def read_value(value: object, source: str, *, most: int) -> Description:
    """Read what stands in a fleet file, and came in another way.

    :param source: what it is called
    :param most: how many nodes, and how many accelerators, it may describe
    :raises InvalidFleet: it has a mistake, or describes more; the text tells where and what is allowed
    """
    return _description(document.of_value(value, source), most=most)


def _description(whole: Entry, *, most: int | None = None) -> Description:
    """What a whole document means.

    :param most: how many nodes, and how many accelerators, it may describe; None for any number
    """
    entries = whole.mapping(KEYS["file"], required=("nodes",))
    own_models = {name: _model(entry) for name, entry in _optional_pairs(entries, "models").items()}
    models = {**MODELS, **own_models}
    node_entries = entries["nodes"].items()
    groups = tuple(_node_group(entry, models) for entry in node_entries)
    if most is not None and sum(group.count * max(1, group.total_accelerators) for group in groups) > most:
        raise entries["nodes"].error(f"a list of nodes with {most} accelerators at most, all together")
    card_counts = _card_counts(groups, node_entries)
    return Description(groups=groups, faults=_faults(_optional_items(entries, "faults"), card_counts))


def _optional_items(entries: Mapping[str, Entry], key: str) -> list[Entry]:
    return entries[key].items() if key in entries else []


def _optional_pairs(entries: Mapping[str, Entry], key: str) -> dict[str, Entry]:
    return entries[key].pairs() if key in entries else {}


def _text(entries: Mapping[str, Entry], key: str, default: str = "") -> str:
    return entries[key].text() if key in entries else default


def _integer(entries: Mapping[str, Entry], key: str, *, default: int, bounds: tuple[int, int]) -> int:
    return entries[key].integer(*bounds) if key in entries else default


def _size(entries: Mapping[str, Entry], key: str) -> int:
    return entries[key].size() if key in entries else 0


def _card_counts(groups: Collection[NodeGroup], entries: Collection[Entry]) -> dict[str, int]:
    """How many cards each node has, by the node's name; no two nodes have the same name."""
    counts: dict[str, int] = {}
    for group, entry in zip(groups, entries, strict=True):
        for name in group.node_names():
            if name in counts:
                raise entry.pairs()["name"].error(f"a name of its own: there is a node {name} already")
            counts[name] = group.total_cards
    return counts


def _node_group(entry: Entry, models: Mapping[str, CardModel]) -> NodeGroup:
    entries = entry.mapping(KEYS["nodes"], required=("name", "cards"))
    numa = _numa(entries["numa"].items()) if "numa" in entries else DEFAULT_NUMA
    name = entries["name"].matching(_NODE_NAME, _NAME_EXPECTED)
    count = _integer(entries, "count", default=1, bounds=(1, MAX_NODES))
    first = _integer(entries, "first", default=1, bounds=(0, 10**9))
    if len(name.format(first + count)) > MAX_NAME_LENGTH:
        raise entries["name"].error(f"a name of at most {MAX_NAME_LENGTH} characters")
    if count > 1 and "{0" not in name:
        raise entries["name"].error("a pattern: several nodes need {0} or {0:03d} where the number goes")
    return NodeGroup(
        name=name,
        count=count,
        first=first,
        rack=entries["rack"].matching(_NUMBERED_NAME, _NAME_EXPECTED) if "rack" in entries else "",
        nodes_per_rack=_integer(entries, "nodes_per_rack", default=0, bounds=(1, MAX_NODES)),
        labels={key: value.text() for key, value in _optional_pairs(entries, "labels").items()},
        kernel=_text(entries, "kernel", DEFAULT_KERNEL),
        numa=numa,
        cards=tuple(_card_group(card, models, numa) for card in entries["cards"].items()),
    )


def _numa(items: Collection[Entry]) -> tuple[NumaNode, ...]:
    nodes: dict[int, NumaNode] = {}
    for index, item in enumerate(items):
        entries = item.mapping(KEYS["numa"])
        number = _integer(entries, "id", default=index, bounds=(0, 1023))
        if number in nodes:
            raise item.error(f"an id of its own: there is a NUMA node {number} already")
        cpus = (
            entries["cpus"].matching(_CPU_LIST, "a list of processors such as 0-15,32-47") if "cpus" in entries else ""
        )
        memory = entries["memory"].size() if "memory" in entries else None
        nodes[number] = NumaNode(id=number, cpus=cpus, memory_bytes=memory)
    return tuple(nodes.values())


def _card_group(entry: Entry, models: Mapping[str, CardModel], numa: Collection[NumaNode]) -> CardGroup:
    entries = entry.mapping(KEYS["cards"], required=("model",))
    model = models[entries["model"].one_of(models)]
    group = CardGroup(
        model=model,
        count=_integer(entries, "count", default=1, bounds=(1, 64)),
        numa_nodes=_placement(entries, numa),
        cards_per_switch=_integer(entries, "cards_per_switch", default=2, bounds=(0, 16)),
        switches_per_bridge=_integer(entries, "switches_per_bridge", default=1, bounds=(1, 4)),
        links=_links(entries, model),
        mig=_mig(entries["mig"], model) if "mig" in entries else (),
        vfs=_integer(entries, "vfs", default=0, bounds=(1, 128)),
    )
    if group.mig and group.vfs:
        raise entries["vfs"].error("possible on a card that is cut by mig; leave one of both out")
    return group


def _placement(entries: Mapping[str, Entry], numa: Collection[NumaNode]) -> tuple[int | None, ...]:
    ids = {str(node.id): node.id for node in numa}
    where = entries["numa"].one_of(("split", "unknown", *ids)) if "numa" in entries else "split"
    if where == "unknown" or not ids:
        return (None,)
    return tuple(ids.values()) if where == "split" else (ids[where],)


def _links(entries: Mapping[str, Entry], model: CardModel) -> Links:
    if "links" not in entries:
        return Links.ALL if model.is_linked_to_all else Links.NONE
    links = Links(entries["links"].one_of([*Links]))
    if links is not Links.NONE and model.link is None:
        raise entries["links"].error(f"possible with {model.name}, which has no direct links; allowed: none")
    return links


def _mig(entry: Entry, model: CardModel) -> tuple[str, ...]:
    scheme = model.scheme
    if scheme is None:
        raise entry.error(f"possible with {model.name}, which cannot be cut")
    profiles = tuple(item.one_of([profile.name for profile in scheme.profiles]) for item in entry.items())
    broken = impossible(scheme, Counter(profiles))
    if broken is not None:
        raise entry.error(f"possible on one card. {broken.text}")
    return profiles


def _model(entry: Entry) -> CardModel:
    entries = entry.mapping(KEYS["models"], required=("type", "vendor", "product"))
    vendor = entries["vendor"].matching(_HEX_ID, "four hex digits in lower case")
    product = entries["product"].matching(_HEX_ID, "four hex digits in lower case")
    link = LinkKind(entries["link"].one_of([*LinkKind])) if "link" in entries else None
    return CardModel(
        name=_text(entries, "name", f"{vendor}:{product}"),
        type=DeviceType(entries["type"].one_of([*DeviceType])),
        vendor=vendor,
        product=product,
        pci_class=entries["class"].matching(_CLASS, "six hex digits in lower case") if "class" in entries else "120000",
        kernel_driver=_text(entries, "kernel_driver") or None,
        memory_bytes=_size(entries, "memory"),
        capacity_bytes=_size(entries, "capacity"),
        link=link,
        link_width=_integer(entries, "link_width", default=1, bounds=(1, 64)),
    )


def _faults(items: Collection[Entry], card_counts: Mapping[str, int]) -> dict[str, dict[int, Fault]]:
    faults: dict[str, dict[int, Fault]] = {}
    for item in items:
        entries = item.mapping(KEYS["faults"], required=("node", "card", "state"))
        node = entries["node"].text()
        if node not in card_counts:
            raise _unknown_node(entries["node"], node, card_counts)
        if card_counts[node] == 0:
            raise entries["node"].error("a node with cards")
        card = entries["card"].integer(0, card_counts[node] - 1)
        if card in faults.get(node, {}):
            raise item.error(f"a card of its own: card {card} of {node} has a fault already")
        state = State(entries["state"].one_of([*State]))
        reason = _text(entries, "reason", _DEFAULT_REASONS[state])
        faults.setdefault(node, {})[card] = Fault(state=state, reason=reason)
    return faults


_DEFAULT_REASONS = {
    State.ABSENT: "",
    State.LOST: "fallen off the bus",
    State.UNHEALTHY: "its driver reports errors",
    State.UNKNOWN: "its health cannot be read",
}


def _unknown_node(entry: Entry, name: str, known: Collection[str]) -> InvalidFleet:
    some = list(known)[:10]
    return entry.error(f"a node of this fleet; {document.choices(name, some)}{' …' if len(known) > len(some) else ''}")
