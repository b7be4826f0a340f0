"""The revisions; each file's name begins with its number."""
