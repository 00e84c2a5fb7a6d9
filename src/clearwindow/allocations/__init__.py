"""Allocations and deallocations: funds move between a Go Account and a network account. Protocol §4."""
