"""Ten thousand devices in one resource: what a kubelet takes, and what one change costs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.offered import Node, card, node

from accel.model.device import Device, Health
from accel.testing.kubelet import Pod
from accel.testing.kubelet.plugins import MAX_RECEIVE_BYTES

pytestmark = pytest.mark.timeout(180)

GPU = "accel.io/gpu"
CARDS, SHARES = 100, 100
_LONGEST = "x" * 44
"""With it the ids have all the characters that they may have."""


def cards() -> list[Device]:
    return [card(number % 255 + 1, identity=f"GPU-{number:04d}{_LONGEST}") for number in range(CARDS)]


@pytest.fixture
def many() -> Iterator[Node]:
    with TemporaryDirectory() as directory:
        resources = [{"name": GPU, "where": "kind = card", "shares": SHARES}]
        with node(Path(directory), *cards(), resources=resources) as made:
            made.kubelet.wait_for(GPU, allocatable=CARDS * SHARES)
            yield made


def test_the_list_is_far_shorter_than_what_a_kubelet_takes(many: Node) -> None:
    (endpoint,) = many.plugin.endpoints

    size = len(endpoint.list_now().SerializeToString())

    assert size < MAX_RECEIVE_BYTES / 4
    assert {len(one) for one in many.kubelet.health(GPU)} == {55, 56}


def test_a_change_of_one_card_is_told_and_puts_only_that_card_in_words_anew(many: Node) -> None:
    (endpoint,) = many.plugin.endpoints
    before = endpoint.chunks()

    first, *others = cards()
    many.agent.show(replace(first, health=Health.UNHEALTHY, reason="an error"), *others)
    many.kubelet.wait_for(GPU, allocatable=(CARDS - 1) * SHARES, capacity=CARDS * SHARES)

    after = endpoint.chunks()
    assert [name for name in after if after[name] is not before[name]] == [first.identity[:52]]


def test_pods_are_admitted_among_so_many(many: Node) -> None:
    admitted = many.kubelet.admit(Pod("default", "p", {"main": {GPU: 4}}))

    assert len({one.partition("::")[0] for one in admitted.ids(GPU)}) == 4
