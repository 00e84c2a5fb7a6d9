"""Approvals by a second user of the enterprise: of allocations above a threshold, and of higher thresholds."""
