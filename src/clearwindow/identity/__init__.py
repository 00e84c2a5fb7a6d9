"""Enterprises, users, tokens, scopes, licences: who may do what. Protocol §2."""
