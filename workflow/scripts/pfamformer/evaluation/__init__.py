"""Judging methods."""
