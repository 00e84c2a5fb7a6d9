"""A simulated exchange, made of the SDK and a web server only. Your own exchange may start from it.

``signatures`` verifies that a call comes from the network. ``accounts`` keeps what each client has allocated.
``calls`` answers calls at once, ``later_answers`` decides them later, ``endpoints`` serves them. ``rounds`` draws
trades, ``settlement`` settles them, and ``run`` puts everything together. A real exchange leaves out only
``faults``. See docs/how-to/run-an-exchange.md.
"""
