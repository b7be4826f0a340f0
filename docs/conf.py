"""How Sphinx builds the documentation. Warnings are errors (see the Makefile)."""

project = "accel"
author = "the accel authors"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = "accel"
exclude_patterns = ["_build"]
nitpicky = False
autodoc_typehints = "description"
