"""The synchronous clients: all but ``waiting`` is made from ``clearwindow.client.aio`` by ``make sdk``."""
