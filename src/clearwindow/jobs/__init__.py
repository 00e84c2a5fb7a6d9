"""Due work: found by its due time, claimed by a lock, run and completed in one transaction."""
