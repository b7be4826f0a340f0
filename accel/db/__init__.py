"""Tables, queries and migrations: the only package with SQL."""
