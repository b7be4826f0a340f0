"""A text up to its first slash, as each database finds it: the namespace of a pod, say."""

from typing import Any

from sqlalchemy import Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class FirstPart(FunctionElement[str]):
    """Of the text that is given, all where there is no slash.

    :param text: the column
    """

    name = "first_part"
    type = Text()
    inherit_cache = True

    def __init__(self, text: InstrumentedAttribute[str]) -> None:
        super().__init__(text)


@compiles(FirstPart, "postgresql")
def _in_postgresql(element: FirstPart, compiler: SQLCompiler, **options: Any) -> str:
    return f"split_part({compiler.process(element.clauses, **options)}, '/', 1)"


@compiles(FirstPart, "mysql")
@compiles(FirstPart, "mariadb")
def _in_mysql(element: FirstPart, compiler: SQLCompiler, **options: Any) -> str:
    return f"substring_index({compiler.process(element.clauses, **options)}, '/', 1)"


@compiles(FirstPart, "sqlite")
def _in_sqlite(element: FirstPart, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"substr({text}, 1, instr({text} || '/', '/') - 1)"
