from accel_scorer_example import frugal

from accel.placement.fleet import Fleet
from accel.placement.scores import Policy
from accel.placement.search import candidates
from accel.placement.snapshot import Card, Handle, Host, Unit
from accel.placement.wanted import Wanted, WantedGroup


def _node(name: str, gibibytes: int) -> Host:
    unit = Unit(
        uuid=f"{name}-unit",
        provider=f"{name}-provider",
        name=f"{name}_gpu",
        resource_class="PGPU",
        figures={"memory_bytes": str(gibibytes * 2**30)},
        free=(Handle(f"{name}-handle", "PCI"),),
    )
    return Host(name=name, cards=(Card(uuid=f"{name}-card", type="GPU", vendor="10de", model="", units=(unit,)),))


def test_the_smallest_memory_that_will_do_comes_first() -> None:
    fleet = Fleet.of(_node(f"n{size}", size) for size in (80, 16, 40))
    policy = Policy(weights={"frugal": 1.0}, scorers={"frugal": frugal})
    found = candidates(Wanted(groups=(WantedGroup(resource_class="PGPU"),)), fleet, policy=policy)
    assert [candidate.nodes for candidate in found] == [("n16",), ("n40",), ("n80",)]
