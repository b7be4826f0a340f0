"""The API told as stories: what is asked, what is answered."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support.api import Client, client
from support.databases import migrated
from support.populated import populate
from support.stories import STORIES, Case, check

CASES = [pytest.param(story, case, id=f"{story}: {case['name']}") for story, cases in STORIES.items() for case in cases]


@pytest.fixture(scope="module")
def applications(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Client]]:
    """An application for each story, over a fleet of its own: a story may change it as it goes."""
    with ExitStack() as databases:
        found = {}
        for story in STORIES:
            database = databases.enter_context(migrated("sqlite", tmp_path_factory.mktemp(story)))
            populate(database)
            found[story] = client(database)
        yield found


@pytest.mark.parametrize(("story", "case"), CASES)
def test_the_answer_is(story: str, case: Case, applications: dict[str, Client]) -> None:
    check(case, applications[story])
