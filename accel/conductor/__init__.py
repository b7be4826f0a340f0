"""Accepts what agents report and keeps the recorded inventory true."""
