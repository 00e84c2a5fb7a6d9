"""Two or three actors at the same instant, thousands of times, on real connections: ``make races``."""
