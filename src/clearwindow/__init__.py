"""A self-hosted off-exchange settlement network."""
