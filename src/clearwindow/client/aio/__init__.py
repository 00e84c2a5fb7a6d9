"""The asynchronous clients. ``clearwindow.client.sync`` is generated from this package."""
