"""Whose rows a caller may see: the one place where queries are narrowed to a project."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, ColumnElement, bindparam, or_, true
from sqlalchemy.orm import InstrumentedAttribute


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a caller sees: by default what is everybody's."""

    project_id: str | None = None
    """The project that the caller acts for; None for no project."""
    sees_all: bool = False
    """Whether the caller sees the things of every project."""

    def shows(
        self, project_id: InstrumentedAttribute[str | None], is_public: InstrumentedAttribute[bool]
    ) -> ColumnElement[bool]:
        """What is true of the rows that the caller may see."""
        if self.sees_all:
            return true()
        if self.project_id is None:
            return is_public.is_(True)
        return or_(is_public.is_(True), project_id == self.project_id)

    def owns(self, project_id: InstrumentedAttribute[str] | InstrumentedAttribute[str | None]) -> ColumnElement[bool]:
        """What is true of the rows that are the caller's."""
        return true() if self.sees_all else project_id == self.project_id

    @property
    def values(self) -> dict[str, Any]:
        """The values of the parameters of ``in_scope``."""
        return {"scope_sees_all": self.sees_all, "scope_project_id": self.project_id or ""}

    def concerns(self, project_id: InstrumentedAttribute[str | None]) -> ColumnElement[bool]:
        """What is true of the rows that are the caller's or nobody's."""
        return true() if self.sees_all else or_(project_id.is_(None), project_id == self.project_id)

    def knows(self, project_id: str | None) -> bool:
        """Whether the caller may see what is a project's, or nobody's where that is None."""
        return self.sees_all or project_id is None or project_id == self.project_id


def in_scope(project_id: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """What ``Scope.owns`` says, for statements that are made once for all callers; ``Scope.values`` are its values."""
    return or_(bindparam("scope_sees_all", type_=Boolean), project_id == bindparam("scope_project_id"))


def in_sight(
    project_id: InstrumentedAttribute[str | None], is_public: InstrumentedAttribute[bool]
) -> ColumnElement[bool]:
    """What ``Scope.shows`` says, in the same way."""
    is_theirs = project_id == bindparam("scope_project_id")
    return or_(bindparam("scope_sees_all", type_=Boolean), is_public.is_(True), is_theirs)


EVERYTHING = Scope(sees_all=True)
