"""Mutants: small changes of the code that tests must notice. ``make mutate`` makes them and counts."""
