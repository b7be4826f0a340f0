"""Vendor drivers: one module per kind of hardware. Each turns what a host shows into ``accel.model`` values."""
