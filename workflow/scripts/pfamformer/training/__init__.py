"""Objectives, batches, the loop and its state."""
