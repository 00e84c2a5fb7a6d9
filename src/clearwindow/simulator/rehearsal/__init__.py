"""The rehearsal: a complete network of real processes, with injected faults and a check of the result."""
