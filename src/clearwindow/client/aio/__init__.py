"""The asynchronous clients, which are the source: ``clearwindow.client.sync`` is made from this package."""
