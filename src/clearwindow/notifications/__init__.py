"""Notifications: people hear of events by e-mail and by chat. Protocol §9."""
