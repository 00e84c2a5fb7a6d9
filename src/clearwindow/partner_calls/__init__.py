"""Signed calls to the endpoints of partners: questions and notices, repeated until answered. Protocol §8."""
