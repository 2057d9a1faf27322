"""Classifiers of all kinds behind the same two tables, ``predictions`` and ``scores``."""

#: What every other method is compared with.
REFERENCE = "top-pick pHMM"
