"""Simulators that use the SDK only: exchange, trader, network, day, rehearsal, demo and partner-check."""
