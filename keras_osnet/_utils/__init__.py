"""Helpers shared by all packages; not public."""
