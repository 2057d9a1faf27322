"""Domains, their similarity, splits and corpora."""
