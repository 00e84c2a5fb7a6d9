"""The rehearsal: a whole network of real processes, with faults on, ending with everything in order."""
