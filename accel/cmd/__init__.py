"""Process entry points: the only place where things are put together."""
