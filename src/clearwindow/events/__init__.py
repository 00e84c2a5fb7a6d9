"""The outbox: events, and the enterprises that get them. Protocol §9."""
