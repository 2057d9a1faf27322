"""Residues, sequence files and token shards."""
