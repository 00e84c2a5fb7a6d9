"""Allocations and deallocations: funds on their way between a Go Account and a network account. Protocol §4."""
