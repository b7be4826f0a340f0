"""JSON made by the database: one text for a group of rows, instead of the rows.

Ten thousand deployables have tens of thousands of attributes. What the API wants of them is a JSON text for each
deployable; the database makes it in a quarter of the time that fetching the rows takes.
"""

from typing import Any

from sqlalchemy import ColumnElement, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class ObjectsText(FunctionElement[str]):
    """An aggregate: the JSON text of a list of objects with one member each, in the order of a third column.

    The text has no blanks, whichever database makes it: those that have functions for it all write JSON differently.
    SQLite of Debian 12 has no order within an aggregate; it aggregates in the order of its rows. There, select from a
    subquery that is in order, which SQLite keeps where something is aggregated over it.
    """

    name = "objects_text"
    type = Text()
    inherit_cache = True

    def __init__(self, key: ColumnElement[Any], value: ColumnElement[Any], order: ColumnElement[Any]) -> None:
        super().__init__(key, value, order)


def _parts(element: ObjectsText, compiler: SQLCompiler, options: dict[str, Any]) -> list[str]:
    return [compiler.process(clause, **options) for clause in element.clauses]


@compiles(ObjectsText, "sqlite")
def _sqlite(element: ObjectsText, compiler: SQLCompiler, **options: Any) -> str:
    key, value, _ = _parts(element, compiler, options)
    return f"json_group_array(json_object({key}, {value}))"


@compiles(ObjectsText, "postgresql")
def _postgresql(element: ObjectsText, compiler: SQLCompiler, **options: Any) -> str:
    key, value, order = _parts(element, compiler, options)
    member = f"to_json({key})::text || ':' || to_json({value})::text"
    return f"'[' || string_agg('{{' || {member} || '}}', ',' ORDER BY {order}) || ']'"


@compiles(ObjectsText, "mysql")
@compiles(ObjectsText, "mariadb")
def _mariadb(element: ObjectsText, compiler: SQLCompiler, **options: Any) -> str:
    key, value, order = _parts(element, compiler, options)
    member = f"JSON_QUOTE({key}), ':', JSON_QUOTE({value})"
    return f"CONCAT('[', GROUP_CONCAT(CONCAT('{{', {member}, '}}') ORDER BY {order} SEPARATOR ','), ']')"
