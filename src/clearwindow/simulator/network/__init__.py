"""Networks of a given size: their members, the file that lists them, and the requests that make them."""
