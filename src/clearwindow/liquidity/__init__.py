"""What is to come and what has been: forecasts, what can be moved, the calendar of windows, and statements."""
