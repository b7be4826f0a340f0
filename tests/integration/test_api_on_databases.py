"""The stories of the API are the same over every database."""

from pathlib import Path

import pytest
from support.databases import MARIADB, POSTGRESQL, LentDatabases
from support.stories import STORIES, telling


@pytest.mark.parametrize("kind", [POSTGRESQL, MARIADB])
def test_every_story_is_true(kind: str, tmp_path: Path, lent_databases: LentDatabases) -> None:
    for cases in STORIES.values():
        with lent_databases.lent(kind, tmp_path) as database, telling(cases, database, tmp_path) as teller:
            for case in cases:
                teller.check(case)
