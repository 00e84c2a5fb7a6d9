"""HTTP requests to addresses that others configure, with limits on time, size and private addresses."""
