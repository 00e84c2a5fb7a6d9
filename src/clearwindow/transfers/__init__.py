"""Settlement transfers and the parties of a settlement: what moves, for whom, until when it may be disputed."""
