"""Forecasts, what can be moved, the calendar, and statements."""
