"""Baselines, behind the same tables as the networks."""
