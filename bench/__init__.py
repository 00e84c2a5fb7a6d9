"""How fast and how large: the parts of one large settlement beside what psql alone needs for the same rows."""
