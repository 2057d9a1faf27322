"""Classifiers behind the tables ``predictions`` and ``scores``, localisers behind ``calls``."""

#: What every other method is compared with.
REFERENCE = "top-pick pHMM"
#: Localisers, as ``calls`` names them.
TAGGER, PROFILES = "tagger", "profile HMM"
#: Sets of calls of the profile HMMs, as their ``run``.
GATHERING, FITTED = "gathering thresholds", "fitted threshold"
