"""Domains on the user's own proteins."""
