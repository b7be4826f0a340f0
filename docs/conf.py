"""How Sphinx builds the documentation. Warnings are errors (see the Makefile)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "accel"
author = "the accel authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "modules", "request_states"]
html_theme = "furo"
html_title = "accel"
exclude_patterns = ["_build"]
nitpicky = False
autodoc_typehints = "description"
