"""Checks an exchange's endpoints: acts as the network towards them and reports what they do wrong."""
