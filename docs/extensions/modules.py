"""What is in which module, read from the modules' own first sentences.

``.. modules:: accel.db`` puts the modules of a package into a page, and those of the packages below it.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

_ROOT = Path(__file__).parents[2]
_LEFT_OUT = {"migrations", "protos"}
"""What is written by programs, or once and for all."""


class Modules(Directive):
    """The directive."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A term for each module, explained by its first sentence."""
        found = nodes.definition_list()
        for path in _modules(_ROOT.joinpath(*self.arguments[0].split("."))):
            name = ".".join(path.relative_to(_ROOT).with_suffix("").parts).removesuffix(".__init__")
            self.state.document.settings.env.note_dependency(str(path))
            said, wrong = self.state.inline_text(summary(path), self.lineno)
            term = nodes.term("", "", nodes.literal("", name))
            meaning = nodes.definition("", nodes.paragraph("", "", *said), *wrong)
            found += nodes.definition_list_item("", term, meaning)
        return [found]


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("modules", Modules)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def summary(path: Path) -> str:
    """The first paragraph of a module's docstring, on one line."""
    said = ast.get_docstring(ast.parse(path.read_bytes())) or ""
    return " ".join(said.partition("\n\n")[0].split()).removesuffix("::")


def _modules(directory: Path) -> Iterator[Path]:
    """The files of a package, its own first, and those of the packages below it after its modules."""
    yield directory / "__init__.py"
    yield from sorted(path for path in directory.glob("*.py") if path.name != "__init__.py")
    for below in sorted(path.parent for path in directory.glob("*/__init__.py")):
        if below.name not in _LEFT_OUT:
            yield from _modules(below)
