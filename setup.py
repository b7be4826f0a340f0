"""Generates the code of ``protos/`` when accel is built; everything else stands in setup.cfg."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from setuptools import Command, setup
from setuptools.command.build import build

ROOT = Path(__file__).resolve().parent
PROTOS = Path("protos")


class BuildProtos(Command):
    """Part of ``build``: of an editable install too, which has the code in the tree."""

    description = "generate the code of protos/"
    user_options: ClassVar[list[tuple[str, str | None, str]]] = []

    def initialize_options(self) -> None:
        """As setuptools wants it."""
        self.build_lib: str | None = None
        self.editable_mode = False

    def finalize_options(self) -> None:
        """As setuptools wants it."""
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def run(self) -> None:
        """Generate."""
        sys.path.insert(0, str(ROOT / PROTOS))
        from generate import TARGET, generate

        target = TARGET if self.editable_mode else Path(self.build_lib or "", *TARGET.relative_to(ROOT).parts)
        target.mkdir(parents=True, exist_ok=True)
        generate(target)

    def get_source_files(self) -> list[str]:
        """What a source distribution holds for it."""
        return [path.as_posix() for path in sorted(PROTOS.iterdir()) if path.is_file()]

    def get_outputs(self) -> list[str]:
        """Nothing that is to be looked for: what is generated lies among the packages."""
        return []

    def get_output_mapping(self) -> Mapping[str, str]:
        """See ``get_outputs``."""
        return {}


class Build(build):
    """As ever, with the code."""

    sub_commands: ClassVar = [*build.sub_commands, ("build_protos", None)]


setup(cmdclass={"build": Build, "build_protos": BuildProtos})
