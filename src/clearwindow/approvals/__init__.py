"""What a second user of the same enterprise must approve: allocations above a threshold, and higher thresholds."""
