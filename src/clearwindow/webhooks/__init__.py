"""Webhooks: the endpoints of enterprises and the delivery of events to them. Protocol §9."""
