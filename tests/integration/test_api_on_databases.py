"""The stories of the API are the same over every database."""

from pathlib import Path

import pytest
from support.api import client
from support.databases import MARIADB, POSTGRESQL, migrated
from support.populated import populate
from support.stories import STORIES, check


@pytest.mark.parametrize("kind", [POSTGRESQL, MARIADB])
def test_every_story_is_true(kind: str, tmp_path: Path) -> None:
    for cases in STORIES.values():
        with migrated(kind, tmp_path) as database:
            populate(database)
            api = client(database)
            for case in cases:
                check(case, api)
