"""Claims of placement that share a transaction: each comes out as if nobody else had been there, on every database."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from functools import partial
from operator import attrgetter
from random import Random
from uuid import uuid4

import pytest
from support.choices import choose, new_claim
from support.claims import terms
from support.databases import counted_statements, opened_beside
from support.inventory import Inventory
from support.races import PATIENCE_SECONDS, Gate, at_once, outcome
from support.site import Site
from support.waiting import until

from accel.db import places, releasing, taking
from accel.db.engine import Connection, Database
from accel.db.scope import EVERYTHING
from accel.db.sharing import Alone, Shared
from accel.db.taking import Chosen, Intent, Made
from accel.errors import AccelError, Conflict, Overtaken

HANDLES = 8
LONG_SECONDS = 10 * PATIENCE_SECONDS
STATEMENTS = {"postgresql": 6, "mysql": 10, "sqlite": 10}
"""What claims cost that are made together, under keys and a quota, by the name of the dialect."""
Outcome = Made | AccelError | Alone


@pytest.fixture
def site(any_database: Database) -> Site:
    site = Site(any_database)
    site.report(*(site.gpu(slot) for slot in range(HANDLES)))
    return site


@pytest.fixture
def other_database(any_database: Database) -> Iterator[Database]:
    """The same database by connections of another service."""
    with opened_beside(any_database) as database:
        yield database


def intent(site: Site, *chosen: Chosen, project: str = "", **changed: object) -> Intent:
    return Intent(new_claim(project or site.project, **changed), chosen, site.origin)


def take_together(site: Site, *intents: Intent) -> list[Outcome]:
    return site.database.write(partial(taking.take_together, intents=intents, terms=terms()))


def shared(database: Database) -> Shared[Intent, Made]:
    return Shared(database, partial(taking.take_together, terms=terms()), names=attrgetter("names"))


def made(found: Outcome) -> Made:
    assert isinstance(found, tuple)
    return found


def refusal(found: Outcome) -> str:
    assert isinstance(found, AccelError)
    return f"{type(found).__name__}: {found}"


def test_many_claims_cost_the_statements_of_one(site: Site) -> None:
    site.limit(HANDLES)
    free = choose(site.database, HANDLES, node=site.node)
    costs = []
    for number, amount in enumerate((1, HANDLES - 1)):
        some, free = free[:amount], free[amount:]
        intents = [intent(site, one, idempotency_key=f"{number}-{one.handle_uuid}") for one in some]
        with counted_statements(site.database) as statements:
            found = take_together(site, *intents)
        assert [is_new for _, is_new in map(made, found)] == [True] * amount
        costs.append(len(statements))
    assert costs == [STATEMENTS[site.database.engine.dialect.name]] * 2
    assert (site.held(), site.left()) == (HANDLES, HANDLES)


def test_each_gets_what_it_would_get_alone(site: Site) -> None:
    first, second, third, fourth, fifth, taken, more, last = choose(site.database, HANDLES, node=site.node)
    take_together(site, intent(site, taken, project="them"))
    known, _ = made(take_together(site, intent(site, more, idempotency_key="k"))[0])
    site.limit(3)
    later = replace(site.origin, at=site.origin.at + timedelta(hours=1), request_id="req-2", user_id="max")

    good, again, otherwise, too_late, other, over, rest = take_together(
        site,
        intent(site, first),
        intent(site, fifth, idempotency_key="k"),
        intent(site, fifth, idempotency_key="k", request_hash="1" * 64),
        intent(site, taken),
        intent(site, second, project="them", consumer="theirs")._replace(origin=later),
        intent(site, third, fourth),
        intent(site, last),
    )
    assert made(again) == (known, False)
    assert "has been used for claim" in refusal(otherwise)
    assert refusal(too_late).startswith("Overtaken: attach handle")
    assert "3 of PGPU, 2 held and 2 more wanted" in refusal(over)
    assert [made(one)[1] for one in (good, other, rest)] == [True] * 3
    assert (site.held(), site.left()) == (5, 3)
    row = made(other)[0].row
    assert (row.project_id, row.consumer, row.created_at) == ("them", "theirs", later.at.replace(tzinfo=None))
    for found, origin in ((good, site.origin), (other, later)):
        events = [*site.events(made(found)[0].uuid), *site.events(made(found)[0].allocations[0].request_uuid)]
        assert [event.occurred_at for event in events] == [origin.at] * 2
        assert {(event.request_id, event.source) for event in events} == {(origin.request_id, origin.source)}


def test_what_has_two_handles_is_given_to_one(any_database: Database) -> None:
    inventory = Inventory(any_database)
    node = inventory.node("twice")
    info = {"domain": "0000", "bus": "0c", "device": "00", "function": "0"}
    parts = [inventory.deployable(inventory.device(node)) for _ in range(2)]
    uuids = [inventory.handle(part, info=info)["uuid"] for part in parts]
    inventory.settle()
    site = Site(any_database)
    one, other = take_together(site, *(intent(site, Chosen(0, {}, "FPGA", "twice", uuid)) for uuid in uuids))
    assert made(one)[1]
    assert "stand for the same" in refusal(other)


@pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True)
def test_nobody_waits_for_a_node_that_somebody_else_has_locked_because_of_another(
    any_database: Database, other_database: Database
) -> None:
    busy, idle = Site(any_database), Site(any_database)
    for site in (busy, idle):
        site.report(site.gpu())
    waits, goes = (intent(site, *choose(site.database, node=site.node)) for site in (busy, idle))
    with other_database.writer() as connection:
        places.lock_nodes(connection, [busy.node])
        left, done = take_together(idle, waits, goes)
    assert isinstance(left, Alone)
    assert made(done)[1]
    assert made(take_together(busy, waits)[0])[1]


def gated(site: Site, gate: Gate, **settings: float) -> tuple[Shared[Intent, Made], list[int]]:
    """Takes claims for callers who share, but that the first transaction ends at a gate; and how many shared each."""
    sizes: list[int] = []

    def work(connection: Connection, intents: Sequence[Intent]) -> list[Outcome]:
        found = taking.take_together(connection, intents, terms=terms())
        sizes.append(len(intents))
        gate()
        return found

    return Shared(site.database, work, names=attrgetter("names"), **settings), sizes


def test_who_comes_meanwhile_shares_the_next_transaction(site: Site) -> None:
    free, gate = choose(site.database, HANDLES, node=site.node), Gate()
    take, sizes = gated(site, gate)
    with ThreadPoolExecutor(HANDLES) as pool:
        first = pool.submit(take, intent(site, free[0]))
        gate.wait()
        rest = [pool.submit(take, intent(site, one)) for one in free[1:]]
        until(lambda: take.waiting == HANDLES - 1)
        gate.open()
        assert all(is_new for _, is_new in (future.result(PATIENCE_SECONDS) for future in [first, *rest]))
    assert sizes == [1, HANDLES - 1]
    assert site.held() == HANDLES


def test_callers_of_the_last_transaction_come_again_and_are_waited_for(site: Site) -> None:
    free, gate = choose(site.database, 4, node=site.node), Gate()
    take, sizes = gated(site, gate, patience_seconds=LONG_SECONDS)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(take, intent(site, free[0]))
        gate.wait()
        others = [pool.submit(take, intent(site, one)) for one in free[1:3]]
        until(lambda: take.waiting == 2)
        gate.open()
        first.result(PATIENCE_SECONDS)
        wait([*others, pool.submit(take, intent(site, free[3]))], PATIENCE_SECONDS)
    assert sizes == [1, 3]


def test_who_comes_alone_waits_for_nobody(site: Site) -> None:
    take = Shared(
        site.database,
        partial(taking.take_together, terms=terms()),
        names=attrgetter("names"),
        patience_seconds=LONG_SECONDS,
    )
    with ThreadPoolExecutor(1) as pool:
        for one in choose(site.database, 3, node=site.node):
            assert pool.submit(take, intent(site, one)).result(PATIENCE_SECONDS)[1]


def test_two_about_the_same_never_share(site: Site) -> None:
    free, gate = choose(site.database, 3, node=site.node), Gate()
    take, sizes = gated(site, gate)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(take, intent(site, free[0]))
        gate.wait()
        wishes = [
            intent(site, free[1]),
            intent(site, free[1]),
            intent(site, free[2], idempotency_key="k"),
            intent(site, free[2], idempotency_key="k"),
        ]
        futures: list[Future[Made]] = []
        for number, wish in enumerate(wishes, 1):
            futures.append(pool.submit(take, wish))
            until(lambda number=number: take.waiting == number)
        gate.open()
        wait([first, *futures], PATIENCE_SECONDS)
    assert sizes == [1, 2, 2]
    assert isinstance(futures[1].exception(), Overtaken)
    assert futures[2].result()[0] == futures[3].result()[0]
    assert [future.result()[1] for future in futures[2:]] == [True, False]


def test_where_a_shared_transaction_fails_each_has_its_own(site: Site) -> None:
    free, gate = choose(site.database, HANDLES, node=site.node), Gate()

    def work(connection: Connection, intents: Sequence[Intent]) -> list[Outcome]:
        found = taking.take_together(connection, intents, terms=terms())
        gate()
        if len(intents) > 1:
            raise RuntimeError("a mistake of somebody's")
        if intents[0].chosen[0] == free[1]:
            raise Conflict("this one cannot be had")
        return found

    take = Shared(site.database, work, names=attrgetter("names"))
    with ThreadPoolExecutor(HANDLES) as pool:
        futures = [pool.submit(take, intent(site, free[0]))]
        gate.wait()
        futures += [pool.submit(take, intent(site, one)) for one in free[1:]]
        until(lambda: take.waiting == HANDLES - 1)
        gate.open()
        wait(futures, PATIENCE_SECONDS)
    assert [type(future.exception()) for future in futures] == [type(None), Conflict, *[type(None)] * (HANDLES - 2)]
    assert (site.held(), site.left()) == (HANDLES - 1, HANDLES - 1)


def test_whatever_many_do_at_once_each_claim_is_whole_and_nothing_is_had_twice(site: Site) -> None:
    """Eight callers with keys, a quota and few handles, beside somebody who reports, binds and deletes."""
    site.limit(HANDLES - 2)
    take, everything = shared(site.database), choose(site.database, HANDLES, node=site.node)
    faults: list[str] = []
    had: Counter[str] = Counter()

    def live(number: int) -> None:
        chance = Random(number)  # noqa: S311 - chance that can be repeated, no secret
        for turn in range(12):
            wish = intent(
                site,
                *chance.sample(everything, chance.choice((1, 1, 2, 3))),
                idempotency_key=f"{number}-{turn}" if chance.random() < 0.5 else None,
            )
            found = outcome(partial(take, wish), Overtaken, Conflict)
            if isinstance(found, Exception):
                had[type(found).__name__] += 1
                continue
            claim, _ = found
            had["made"] += 1
            if len(claim.allocations) != len(wish.chosen) or site.held() > HANDLES - 2:
                faults.append(f"{claim}")
            if wish.key is not None:
                again, is_new = take(wish)
                if is_new or again.uuid != claim.uuid:
                    faults.append(f"not the same again: {claim.uuid}")
            release = partial(releasing.release, uuid=claim.uuid, scope=EVERYTHING, origin=site.origin)
            site.database.write(release)

    def disturb() -> None:
        for turn in range(8):
            site.report(*(site.gpu(slot) for slot in range(turn % 2, HANDLES)))
            [uuid] = site.make()
            binding = partial(site.conductor().change_requests, site.binds([uuid], 3, instance=str(uuid4())))
            outcome(binding, Conflict)
            site.delete(uuid)

    at_once([*(partial(live, number) for number in range(8)), disturb])
    assert faults == []
    assert had["made"] > 0
    assert (site.held(), site.left()) == (0, 0)
