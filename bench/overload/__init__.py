"""Four times what a server can take, and what becomes of it: ``make overload``."""
