"""Payments to other banks and from them."""
