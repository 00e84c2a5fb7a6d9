"""Networks of a given size: who is on one, and how it comes about over HTTP."""
