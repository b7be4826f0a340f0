"""The form of every list: the collection first, because clients look there, then the link to the next page."""

from typing import Any

from accel.api.call import Call
from accel.db.paging import Page


def render(call: Call, name: str, page: Page[Any], bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """The body of a list.

    :param name: of the collection
    :param bodies: of the rows of the page
    """
    if not page.has_more:
        return {name: bodies}
    return {name: bodies, f"{name}_links": [call.next_page(page.rows[-1].uuid)]}
