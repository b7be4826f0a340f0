"""Published helpers for tests of drivers and of what is built on accel."""
