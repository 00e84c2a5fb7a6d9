"""A simulated trader: hears of settlements, checks them against its own trades, and disputes what is wrong."""
