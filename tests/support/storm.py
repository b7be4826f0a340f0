"""Clients that make, bind, unbind and delete accelerator requests at random, in processes of their own.

They know nothing of one another, but at times take what is another's: a request that somebody else has made, an
instance that has some already, a card that is full.
"""

import http.client
import json
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from random import Random
from time import monotonic
from typing import Any, NamedTuple

REQUESTS = "/v2/accelerator_requests"
HEADERS = {"OpenStack-API-Version": "accelerator 2.4", "Content-Type": "application/json"}
INSTANCES = tuple(str(uuid.UUID(int=number)) for number in range(1, 201))
"""So few that several clients want the same."""
_CROWDED = 3
"""So many places are wanted by everybody."""


class Place(NamedTuple):
    """Where requests can be bound."""

    node: str
    provider: str


@dataclass(frozen=True)
class Plan:
    """What all clients know."""

    ports: Sequence[int]
    """Of the processes that serve the API."""
    places: Sequence[Place]
    profiles: Sequence[str]
    projects: Sequence[str]
    seconds: float


@dataclass
class Connection:
    """A connection to the API, kept open."""

    port: int
    _connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def close(self) -> None:
        """Leave no socket behind."""
        self._connection.close()

    def send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """The status of the answer, and its body."""
        self._connection.request(method, path, None if body is None else json.dumps(body), HEADERS)
        answer = self._connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None


@dataclass
class Client:
    """One of many."""

    plan: Plan
    number: int
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How often it did what and was answered with which status."""
    faults: list[str] = field(default_factory=list)
    """Answers that say that the server is at fault."""
    mine: list[str] = field(default_factory=list)
    """The requests that it knows of."""
    last_status: int = 0

    def __post_init__(self) -> None:
        self.chance = Random(self.number)  # noqa: S311 - chance that can be repeated, no secret
        self.connection = Connection(self.plan.ports[self.number % len(self.plan.ports)])

    def run(self) -> None:
        """Do one thing after the other until the time is over."""
        often = (self.create, self.create, self.bind, self.bind, self.bind, self.bind, self.bind, self.delete)
        acts = (*often, *often, self.unbind, self.unbind, self.take, self.end_instance)
        end = monotonic() + self.plan.seconds
        with closing(self.connection):
            while monotonic() < end:
                self.chance.choice(acts)()

    def create(self) -> None:
        """Make some requests, but do not hoard."""
        if len(self.mine) < 8:
            body = {"device_profile_name": self.chance.choice(self.plan.profiles)}
            made = self._send("create", "POST", REQUESTS, body)
            self.mine += [request["uuid"] for request in made["arqs"]] if made else []

    def bind(self) -> None:
        """Bind one or a few for one instance, mostly where it may do."""
        places = self.plan.places[:_CROWDED] if self.chance.random() < 0.3 else self.plan.places
        place = self.chance.choice(places)
        values = {
            "hostname": place.node,
            "device_rp_uuid": place.provider,
            "instance_uuid": self.chance.choice(INSTANCES),
            "project_id": self.chance.choice(self.plan.projects),
        }
        operations = [{"path": f"/{name}", "op": "add", "value": value} for name, value in values.items()]
        self._patch("bind", operations)

    def unbind(self) -> None:
        """Unbind one or a few."""
        paths = ("hostname", "device_rp_uuid", "instance_uuid")
        self._patch("unbind", [{"path": f"/{path}", "op": "remove"} for path in paths])

    def delete(self) -> None:
        """Delete one or a few."""
        chosen = self._chosen()
        if chosen:
            self._send("delete", "DELETE", f"{REQUESTS}?arqs={','.join(chosen)}")
            self._forget(chosen)

    def end_instance(self) -> None:
        """Delete what an instance has, as Nova does when it goes."""
        self._send("end instance", "DELETE", f"{REQUESTS}?instance={self.chance.choice(INSTANCES)}")

    def take(self) -> None:
        """Take over what others have made."""
        listed = self._send("list", "GET", f"{REQUESTS}?limit=20&sort_key=uuid")
        if listed and listed["arqs"]:
            self.mine.append(self.chance.choice(listed["arqs"])["uuid"])

    def _patch(self, act: str, operations: Sequence[dict[str, str]]) -> None:
        chosen = self._chosen()
        if chosen:
            self._send(act, "PATCH", REQUESTS, dict.fromkeys(chosen, operations))
            if self.last_status == 404:
                self._forget(chosen)

    def _forget(self, gone: set[str]) -> None:
        self.mine = [uuid for uuid in self.mine if uuid not in gone]

    def _chosen(self) -> set[str]:
        return {self.chance.choice(self.mine) for _ in range(self.chance.choice((1, 1, 2, 3)))} if self.mine else set()

    def _send(self, act: str, method: str, path: str, body: object = None) -> Any:
        status, content = self.connection.send(method, path, body)
        self.last_status = status
        self.answers[act, status] += 1
        if status >= 500:
            self.faults.append(f"{act}: {status}: {content}")
        return content if status < 300 else None


class Tally(NamedTuple):
    """What came of it."""

    answers: Counter[tuple[str, int]]
    faults: list[str]


def storm(plan: Plan, *, processes: int, clients: int) -> Tally:
    """Let so many clients in so many processes loose, and tell what they were answered."""
    share = clients // processes
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        numbers = [range(first, first + share) for first in range(0, clients, share)]
        tallies = list(pool.map(partial(_run, plan), numbers))
    return Tally(sum((tally.answers for tally in tallies), Counter()), [one for t in tallies for one in t.faults])


def _run(plan: Plan, numbers: Sequence[int]) -> Tally:
    clients = [Client(plan, number) for number in numbers]
    with ThreadPoolExecutor(len(clients)) as pool:
        for job in [pool.submit(client.run) for client in clients]:
            job.result()
    return Tally(sum((client.answers for client in clients), Counter()), [one for c in clients for one in c.faults])
