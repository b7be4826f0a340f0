"""The attributes of a deployable as one JSON text, as the wire contract has them.

Lists show the attributes of all their deployables, mostly four or more of each, which rarely change. So the text is
kept in the row of the deployable, by whoever changes the attributes, in the same transaction (``kept``). Where it is
NULL it is made from the attributes whenever it is asked for: a conductor of a release that knows nothing of texts has
added the deployable. What such a one has changed since is found when a conductor starts (``mend``).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

import orjson
from sqlalchemy import ColumnElement, Connection, bindparam, select, update

from accel.db.batches import batches
from accel.db.json_texts import ObjectsText
from accel.db.paging import AnySelect, rows_of, span_of
from accel.db.tables import Attribute, Deployable
from accel.model import device as model

NONE = "[]"
"""The text of no attributes."""
_MENDED_AT_ONCE = 1000


def made(belongs: ColumnElement[bool]) -> AnySelect:
    """The text of each deployable, made from its attributes in the order of their making; nothing of those without.

    A statement that is made once, since making it takes longer than running it for one deployable.

    :param belongs: what is true of the attributes that are wanted
    """
    wanted = select(Attribute.deployable_id, Attribute.id, Attribute.key, Attribute.value).where(belongs)
    ordered = wanted.order_by(Attribute.deployable_id, Attribute.id).subquery()
    text = ObjectsText(ordered.c.key, ordered.c.value, ordered.c.id)
    return select(ordered.c.deployable_id, text).group_by(ordered.c.deployable_id)


_OF_SPAN = made(Attribute.deployable_id.between(bindparam("first"), bindparam("last")))
_OF_KEYS = made(Attribute.deployable_id.in_(bindparam("keys", expanding=True)))
_FORGET = update(Deployable).where(Deployable.id.in_(bindparam("keys", expanding=True))).values(attributes_text=None)
_KEEP = update(Deployable).where(Deployable.id == bindparam("key")).values(attributes_text=bindparam("text"))
_KEPT: AnySelect = (
    select(Deployable.id, Deployable.attributes_text)
    .where(Deployable.id > bindparam("after"))
    .order_by(Deployable.id)
    .limit(_MENDED_AT_ONCE)
)


def text_of(attributes: Iterable[model.Attribute]) -> str:
    """The text of attributes that are about to be made in this order."""
    return orjson.dumps([{attribute.key: attribute.value} for attribute in attributes]).decode()


def make(connection: Connection, keys: Sequence[int]) -> dict[int, str]:
    """The texts of deployables, made from their attributes, by key; those of others may be among them.

    A deployable without attributes is left out.
    """
    if not keys:
        return {}
    span = span_of(keys)
    if span is None:
        return dict(rows_of(connection, _OF_KEYS, {"keys": keys}))
    return dict(rows_of(connection, _OF_SPAN, {"first": span[0], "last": span[1]}))


@contextmanager
def kept(connection: Connection, keys: Collection[int]) -> Iterator[None]:
    """Change attributes of deployables inside of the block; after it their texts are what they have come to be.

    Until the end of the transaction nobody else changes attributes of these deployables: the text of who came second
    would lack what the first has not committed yet.

    :param keys: of the deployables
    """
    wanted = sorted(set(keys))
    for some in batches(wanted):
        connection.execute(_FORGET, {"keys": some})
    yield
    for some in batches(wanted):
        texts = make(connection, some)
        connection.execute(_KEEP, [{"key": key, "text": texts.get(key, NONE)} for key in some])


def mend(connection: Connection, after: int = 0) -> tuple[int, int | None]:
    """Make the texts right that are missing or are not what the attributes say: those of some deployables.

    :param after: the key after which to look
    :return: how many those were, and the key after which to go on; None: there are no more
    """
    known = dict(rows_of(connection, _KEPT, {"after": after}))
    if not known:
        return 0, None
    right = make(connection, list(known))
    wrong = [key for key, text in known.items() if text != right.get(key, NONE)]
    with kept(connection, wrong):
        pass
    return len(wrong), max(known)
