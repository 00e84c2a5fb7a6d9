"""Generators and measuring tools of the project. Nothing of the product imports them."""
