"""``filters.field=F&filters.value=V``: how the lists of the first versions were filtered.

The names that ``F`` may be are the columns of a table that the reference has not had for years. Few of them act; the
others are accepted and mean nothing, as they always did.
"""

import re
from collections.abc import Collection, Sequence

from accel.api.refusals import BadRequest

FIELDS = (
    *("availability", "board", "instance_uuid", "interface_type", "limit", "marker", "name", "parent_uuid"),
    *("root_uuid", "sort_dir", "sort_key"),
)

_PARAMETER = re.compile(r"filters(?:\[\d{1,4}\])?\.(field|value)")

Pairs = Sequence[tuple[str, str]]


def translate(pairs: Pairs, acting: Collection[str]) -> list[tuple[str, str]]:
    """The query with old filters as the parameters that they stand for.

    :param acting: the fields that act on this list
    :raises BadRequest: a field is none of those there were, or has no value
    """
    found: dict[str, dict[str, str]] = {}
    translated = []
    for name, text in pairs:
        part = _PARAMETER.fullmatch(name)
        if part is None:
            translated.append((name, text))
        else:
            found.setdefault(name.rpartition(".")[0], {})[part[1]] = text
    for name, parts in found.items():
        if parts.get("field") not in FIELDS:
            raise BadRequest(
                f"Invalid input for field/attribute field. Value: {parts.get('field', '')[:100]!r}. "
                f"Value should be one of: {', '.join(FIELDS)}"
            )
        if "value" not in parts:
            raise BadRequest(f'Missing argument: "{name}.value"')
        if parts["field"] in acting:
            translated.append((parts["field"], parts["value"]))
    return translated
