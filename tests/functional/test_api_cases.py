"""The API told as stories: what is asked, what is answered."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support.databases import migrated
from support.stories import STORIES, Case, Teller, telling

CASES = [pytest.param(story, case, id=f"{story}: {case['name']}") for story, cases in STORIES.items() for case in cases]


@pytest.fixture(scope="module")
def tellers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Teller]]:
    """An application for each story, over a fleet of its own: a story may change it as it goes."""
    with ExitStack() as opened:
        found = {}
        for story, cases in STORIES.items():
            directory = tmp_path_factory.mktemp(story)
            database = opened.enter_context(migrated("sqlite", directory))
            found[story] = opened.enter_context(telling(cases, database, directory))
        yield found


@pytest.mark.parametrize(("story", "case"), CASES)
def test_the_answer_is(story: str, case: Case, tellers: dict[str, Teller]) -> None:
    tellers[story].check(case)
