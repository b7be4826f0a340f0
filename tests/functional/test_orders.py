"""What operators have done to devices by themselves: resets, scrubbing, virtual functions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from support.cli import Outcome, run
from support.served import served
from support.site import Site

from accel.db.engine import Database

HEADERS = {"OpenStack-API-Version": "accelerator 2.4"}
WRONG_USE, NOT_FOUND, WRONG_STATE = 2, 3, 6


@dataclass
class Bench:
    """A node with one card, and an API."""

    site: Site
    url: str

    def post(self, **body: Any) -> requests.Response:
        body = {"device_uuid": self.site.device(), **body}
        return requests.post(f"{self.url}/v2/jobs", json=body, headers=HEADERS, timeout=30)

    def part(self) -> str:
        params = {"device": self.site.device()}
        parts = requests.get(f"{self.url}/v2/deployables", params=params, headers=HEADERS, timeout=30).json()
        return str(parts["deployables"][0]["uuid"])

    def accel(self, *words: str) -> Outcome:
        return run("device", *words, endpoint=self.url)


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    site = Site(database)
    site.report(site.gpu())
    with served(database) as url:
        yield Bench(site, url)


def test_what_is_ordered_is_a_job_and_fences_the_device(bench: Bench) -> None:
    answer = bench.post(kind="set_vfs", count=4, time_limit_seconds=90)

    job = answer.json()
    assert (answer.status_code, job["kind"], job["arguments"], job["fenced"]) == (202, "set_vfs", {"count": "4"}, 1)
    assert (job["device_uuid"], job["time_limit_seconds"], job["project_id"]) == (bench.site.device(), 90, None)
    assert bench.site.held() == 1


def test_a_part_is_scrubbed_by_the_way_that_is_named(bench: Bench) -> None:
    job = bench.post(kind="scrub", deployable_uuid=bench.part(), method="zero").json()
    assert (job["deployable_uuid"], job["arguments"]) == (bench.part(), {"method": "zero"})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"kind": "scrub", "method": "zero"},
            "deployable_uuid: None is not right for the kind scrub: it is to be given",
        ),
        ({"kind": "set_vfs"}, "count: None is not right for the kind set_vfs: it is to be given"),
        ({"kind": "reset", "count": 3}, "count: 3 is not right for the kind reset: it is to be left out"),
        ({"kind": "set_vfs", "count": -1}, "count"),
        ({"kind": "prepare"}, "kind"),
        ({"kind": "reset", "time_limit_seconds": 0}, "time_limit_seconds"),
    ],
)
def test_an_order_that_cannot_be_right_is_refused_with_the_field(bench: Bench, body: dict[str, Any], said: str) -> None:
    answer = bench.post(**body)
    assert (answer.status_code, said in answer.text) == (400, True), answer.text


def test_a_device_that_somebody_has_something_of_is_left_alone(bench: Bench) -> None:
    bench.post(kind="reset")
    answer = bench.post(kind="reset")
    assert answer.status_code == 409


def test_a_device_that_is_not_there_is_said_to_be_so(bench: Bench) -> None:
    answer = bench.post(kind="reset", device_uuid="00000000-0000-4000-8000-000000000000")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("words", "kind", "arguments"),
    [
        (("reset",), "reset", {}),
        (("scrub", "--method", "reset"), "scrub", {"method": "reset"}),
        (("vfs", "8"), "set_vfs", {"count": "8"}),
    ],
)
def test_the_command_line_orders_it_and_says_how_to_follow_it(
    bench: Bench, words: tuple[str, ...], kind: str, arguments: dict[str, str]
) -> None:
    done = bench.accel(words[0], bench.site.device()[:8], *words[1:])

    assert done.code == 0, done.err
    uuid = done.lines[0].split()[1]
    job = requests.get(f"{bench.url}/v2/jobs/{uuid}", headers=HEADERS, timeout=30).json()
    assert (job["kind"], job["arguments"]) == (kind, arguments)
    assert done.lines[1] == f"How it goes: accel job wait {uuid[:8]}"


def test_the_command_line_says_what_is_in_the_way(bench: Bench) -> None:
    bench.accel("reset", bench.site.device())
    again = bench.accel("reset", bench.site.device())
    assert (again.code, again.out) == (WRONG_STATE, "")
    assert bench.accel("reset", "ffffffff").code == NOT_FOUND
    assert bench.accel("vfs", bench.site.device(), "many").code == WRONG_USE
