"""Databases of former releases, and what the present version makes of them."""
