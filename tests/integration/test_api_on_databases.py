"""The stories of the API are the same over every database."""

from pathlib import Path

import pytest
from support.databases import MARIADB, POSTGRESQL, migrated
from support.stories import STORIES, telling


@pytest.mark.parametrize("kind", [POSTGRESQL, MARIADB])
def test_every_story_is_true(kind: str, tmp_path: Path) -> None:
    for cases in STORIES.values():
        with migrated(kind, tmp_path) as database, telling(cases, database, tmp_path) as teller:
            for case in cases:
                teller.check(case)
