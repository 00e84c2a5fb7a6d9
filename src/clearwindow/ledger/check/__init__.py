"""The proof of the whole network: what must always hold, recomputed from what is stored. Protocol §10."""
