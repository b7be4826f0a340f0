"""Accelerator requests that are made, bound and deleted in shared transactions, on every database we support."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from operator import attrgetter
from random import Random

import pytest
from support.choices import choose, new_claim
from support.claims import terms
from support.databases import counted_statements, opened_beside
from support.inventory import Inventory
from support.races import Gate, at_once, outcome
from support.site import Site
from support.waiting import until

from accel.db import claims, places, requests, taking, wishes
from accel.db.claims import Changes, Deleted, Deletion
from accel.db.engine import Connection, Database
from accel.db.events import Origin
from accel.db.requests import Asked
from accel.db.scope import EVERYTHING, Scope
from accel.db.sharing import Alone, Shared
from accel.db.taking import Intent
from accel.db.transitions import LockedRequest
from accel.db.wishes import Outcome, Wish
from accel.errors import AccelError, Conflict, InvalidValue, NotFound
from accel.model.request import BindTarget, RequestChange

CARDS = 8


@pytest.fixture
def site(any_database: Database) -> Site:
    site = Site(any_database)
    site.report(*(site.gpu(slot) for slot in range(CARDS)))
    return site


@pytest.fixture
def other_database(any_database: Database) -> Iterator[Database]:
    """The same database by connections of another service."""
    with opened_beside(any_database) as database:
        yield database


def origins(site: Site, amount: int) -> list[Origin]:
    """Callers who come one second after the other."""
    first = site.origin
    return [replace(first, at=first.at + timedelta(seconds=n), request_id=f"req-{n}") for n in range(amount)]


def asked(site: Site, origin: Origin, **changed: object) -> Asked:
    return Asked(site.profile, site.project, EVERYTHING, origin)._replace(**changed)


def bind(site: Site, uuid: str, slot: int, origin: Origin | None = None, *, instance: str = "") -> Changes:
    target = site.target(slot, instance=instance or f"vm{slot}")
    return Changes([RequestChange(request=uuid, target=target)], EVERYTHING, origin or site.origin)


def deletion(*uuids: str, origin: Origin, check: Callable[[Sequence[LockedRequest]], None] | None = None) -> Deletion:
    return Deletion(uuids, EVERYTHING, origin, check or (lambda _requests: None))


Fulfil = Callable[[Connection, Sequence[Wish]], Sequence[Outcome | AccelError | Alone]]


def shared(database: Database, work: Fulfil, **others: float) -> Shared[Wish, Outcome]:
    """As the API does it."""
    return Shared(database, work, names=attrgetter("names"), kind=type, **others)


def made_by(outcome: Outcome) -> list[str]:
    """The requests that were made."""
    return [row.uuid for row in outcome if isinstance(row, requests.RequestRow)]


def cost(database: Database, act: Callable[[], object]) -> int:
    with counted_statements(database) as statements:
        act()
    return len(statements)


def test_many_callers_cost_what_one_costs_and_each_is_told_of_as_itself(site: Site) -> None:
    site.delete(*site.make())
    costs, slots = [], iter(range(CARDS))
    for amount in (1, CARDS - 1):
        callers = origins(site, amount)
        made: list[str] = []

        def make(callers: list[Origin] = callers, made: list[str] = made) -> None:
            wishes = [asked(site, caller) for caller in callers]
            found = site.database.write(partial(requests.create_together, asked=wishes))
            made.extend(row.uuid for rows in found if isinstance(rows, list) for row in rows)

        spent = [cost(site.database, make)]
        wanted = [bind(site, uuid, next(slots), caller) for uuid, caller in zip(made, callers, strict=True)]
        change = partial(claims.change_together, wanted=wanted, terms=terms())
        spent.append(cost(site.database, partial(site.database.write, change)))
        assert site.states(*made) == ["Bound"] * amount
        gone = [deletion(uuid, origin=caller) for uuid, caller in zip(made, callers, strict=True)]
        spent.append(cost(site.database, partial(site.database.write, partial(claims.delete_together, wanted=gone))))
        costs.append(spent)
        for uuid, caller in zip(made, callers, strict=True):
            told = [(event.kind, event.request_id, event.occurred_at) for event in site.events(uuid)]
            kinds = ("request.created", "request.bound", "request.deleted")
            assert told == [(kind, caller.request_id, caller.at) for kind in kinds]
    [one, many] = costs
    assert many == [one[0], one[1] + 1, one[2]]  # one more: whether any of the instances has other requests
    assert (site.held(), site.left()) == (0, 0)


def test_who_asks_for_what_there_is_not_is_refused_alone(site: Site) -> None:
    site.delete(*site.make())
    callers = origins(site, 3)
    theirs = Scope(project_id="them")
    wishes = [
        asked(site, callers[0]),
        asked(site, callers[1], profile="nobody-has-it"),
        asked(site, callers[2], project_id="them", scope=theirs),
    ]
    good, refused, other = site.database.write(partial(requests.create_together, asked=wishes))
    assert isinstance(refused, NotFound)
    assert [[row.project_id for row in rows] for rows in (good, other) if isinstance(rows, list)] == [
        [site.project],
        ["them"],
    ]


def test_deletions_are_refused_one_by_one(site: Site) -> None:
    def refuse(_requests: Sequence[LockedRequest]) -> None:
        raise Conflict("not by you")

    claim, _ = site.database.write(
        partial(
            taking.take,
            intent=Intent(new_claim(site.project), choose(site.database, node=site.node), site.origin),
            terms=terms(),
        )
    )
    first, second, third, fourth = site.make(4)
    by = site.origin
    wanted = [
        deletion(first, third, "00000000-0000-4000-8000-000000000000", first, origin=by),
        deletion(second, origin=by, check=refuse),
        deletion(claim.allocations[0].request_uuid, origin=by),
        deletion(fourth, origin=by)._replace(scope=Scope(project_id="them")),
    ]
    done, refused, whole, stranger = site.database.write(partial(claims.delete_together, wanted=wanted))
    assert isinstance(done, Deleted)
    assert [row.uuid for row in done.found] == [first, third]
    assert (str(refused), "release the claim" in str(whole)) == ("not by you", True)
    assert isinstance(stranger, Alone)
    assert site.left() == 3


def test_where_one_cannot_be_bound_the_others_are(site: Site) -> None:
    uuids = site.make(4)
    change = Shared(site.database, partial(claims.change_together, terms=terms()), names=attrgetter("names"))
    wishes = [
        bind(site, uuids[0], 0),
        bind(site, uuids[1], 0, instance="other"),
        bind(site, uuids[2], 1),
        bind(site, uuids[3], 2, instance="vm1"),
    ]
    calls = [partial(outcome, partial(change, wish), AccelError) for wish in wishes]
    found = at_once(calls)
    kinds = Counter(type(one) for one in found)
    assert kinds == {list: 2, Conflict: 1, InvalidValue: 1}
    assert sorted(site.states(*uuids)) == ["Bound", "Bound", "Initial", "Initial"]
    assert site.held() == 2


def test_callers_who_want_the_same_do_not_share(site: Site) -> None:
    [uuid] = site.make()
    one, other = bind(site, uuid, 0, instance="a"), bind(site, uuid, 1, instance="b")
    assert set(one.names) & set(other.names) == {uuid}
    same = bind(site, "another", 1, instance="a")
    assert len(set(one.names) & set(same.names)) == 1


def test_what_has_two_handles_is_bound_once(any_database: Database) -> None:
    inventory = Inventory(any_database)
    node = inventory.node("twice")
    info = {"domain": "0000", "bus": "0c", "device": "00", "function": "0"}
    parts = [inventory.deployable(inventory.device(node)) for _ in range(2)]
    for part in parts:
        inventory.handle(part, info=info)
    inventory.settle()
    site = Site(any_database)
    wanted = [
        Changes([RequestChange(request=uuid, target=_target(part, uuid))], EVERYTHING, site.origin)
        for uuid, part in zip(site.make(2), parts, strict=True)
    ]
    with pytest.raises(Conflict, match="stand for the same"):
        any_database.write(partial(claims.change_together, wanted=wanted, terms=terms()))
    change = Shared(any_database, partial(claims.change_together, terms=terms()), names=attrgetter("names"))
    found = [outcome(partial(change, each), Conflict) for each in wanted]
    assert [type(one) for one in found] == [list, Conflict]


def _target(part: dict[str, str], instance: str) -> BindTarget:
    return BindTarget(hostname="twice", device_rp_uuid=part["rp_uuid"], instance_uuid=instance)


@pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True)
def test_nobody_waits_for_a_node_because_of_another(any_database: Database, other_database: Database) -> None:
    busy, idle = Site(any_database), Site(any_database)
    for site in (busy, idle):
        site.report(site.gpu(0))
    wanted = [bind(site, site.make()[0], 0) for site in (busy, idle)]
    with other_database.writer() as connection:
        places.lock_nodes(connection, [busy.node])
        with pytest.raises(Conflict, match="has locked"):
            any_database.write(partial(claims.change_together, wanted=wanted, terms=terms()))
        any_database.write(partial(claims.change_together, wanted=wanted[1:], terms=terms()))
    assert (busy.held(), idle.held()) == (0, 1)


def test_a_transaction_is_for_wishes_of_one_kind_and_each_gets_what_comes_of_its_own(site: Site) -> None:
    first, second, third = site.make(3)
    together: list[list[type[Wish]]] = []
    gate = Gate()

    def work(connection: Connection, wished: Sequence[Wish]) -> Sequence[Outcome | AccelError | Alone]:
        found = wishes.fulfil(connection, wished, terms=terms())
        together.append([type(wish) for wish in wished])
        gate()
        return found

    fulfil = shared(site.database, work)
    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(fulfil, asked(site, site.origin))]
        gate.wait()
        rest = [
            deletion(first, origin=site.origin),
            bind(site, second, 0),
            asked(site, site.origin),
            bind(site, third, 1),
            deletion("00000000-0000-4000-8000-000000000000", origin=site.origin),
        ]
        for number, wish in enumerate(rest, 1):
            futures.append(pool.submit(fulfil, wish))
            until(lambda number=number: fulfil.waiting == number)
        gate.open()
        made, deleted, bound, also_made, also_bound, not_there = [future.result(60) for future in futures]
    assert together == [[Asked], [Deletion, Deletion], [Changes, Changes], [Asked]]
    assert len({*made_by(made), *made_by(also_made)}) == 2
    assert [[row.uuid for row in it.found] for it in (deleted, not_there) if isinstance(it, Deleted)] == [[first], []]
    assert (bound, also_bound, site.states(second, third)) == ([], [], ["Bound", "Bound"])


def test_whatever_many_do_at_once_requests_and_holders_agree(site: Site) -> None:
    """Eight callers on few cards and instances, with each other's requests at times; a quota is never exceeded."""
    site.delete(*site.make())
    site.limit(CARDS - 2)
    fulfil = shared(site.database, partial(wishes.fulfil, terms=terms()))
    refused: Counter[str] = Counter()
    everybodys: list[str] = []

    def live(number: int) -> None:
        chance = Random(number)  # noqa: S311 - chance that can be repeated, no secret
        for _ in range(10):
            [mine] = made_by(fulfil(asked(site, site.origin)))
            everybodys.append(mine)
            uuid = mine if chance.random() < 0.8 else chance.choice(everybodys)
            wish = bind(site, uuid, chance.randrange(CARDS), instance=f"vm{chance.randrange(CARDS)}")
            told = outcome(partial(fulfil, wish), Conflict, InvalidValue, NotFound)
            refused[type(told).__name__] += 1
            if chance.random() < 0.3:
                unbind = Changes([RequestChange(request=uuid)], EVERYTHING, site.origin)
                outcome(partial(fulfil, unbind), Conflict, NotFound)
            assert site.held() <= CARDS - 2
            if chance.random() < 0.8:
                fulfil(deletion(uuid, origin=site.origin))

    at_once([partial(live, number) for number in range(8)])
    assert refused["list"] > 0
    left = [row for row in everybodys if not isinstance(outcome(partial(site.request, row), NotFound), NotFound)]
    assert Counter(site.states(*left))["Bound"] == site.held()
    assert len({row.request_id for row in site.holders()}) == site.held()
    fulfil(deletion(*left, origin=site.origin))
    assert (site.held(), site.left()) == (0, 0)
