"""A driver whose module has a mistake."""

raise ZeroDivisionError("a mistake in the module")
