"""A simulated trader: gets settlements by webhook, compares them with its own trades, and disputes wrong ones."""
