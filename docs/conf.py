"""How Sphinx builds the documentation. Warnings are errors (see the Makefile)."""

project = "accel"
author = "the accel authors"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.intersphinx"]
intersphinx_mapping: dict[str, tuple[str, str | None]] = {}  # nothing is fetched while building
html_theme = "furo"
html_title = "accel"
exclude_patterns = ["_build"]
nitpicky = False
autodoc_typehints = "description"
