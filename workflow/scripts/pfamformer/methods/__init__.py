<<<<<<< HEAD
"""Classifiers behind the tables ``predictions`` and ``scores``, localisers behind ``calls``."""

#: What every other method is compared with.
REFERENCE = "top-pick pHMM"
#: Localisers, as ``calls`` names them.
TAGGER, PROFILES = "tagger", "profile HMM"
#: Sets of calls of the profile HMMs, as their ``run``.
GATHERING, FITTED = "gathering thresholds", "fitted threshold"
=======
"""Classifiers of all kinds behind the same two tables, ``predictions`` and ``scores``.

Names are here, without any import, so that the workflow's rules can read them.
"""

#: What every other method is compared with.
REFERENCE = "top-pick pHMM"
# Hits that vote: about what a small family has; with more, large families would win by number.
VOTERS = 10
#: Baselines without training: folder → how tables call it.
NEIGHBOURS = {
    "mmseqs2": "MMseqs2 neighbour",
    "mmseqs2_sensitive": "MMseqs2 neighbour, sensitive (in place of BLASTp)",
    "mmseqs2_vote": f"MMseqs2 vote of {VOTERS} neighbours",
    "majority": "majority class",
}
#: All methods that are not networks, by folder.
BASELINES = {"profile_hmm": REFERENCE, **NEIGHBOURS}
#: Neighbours in the space of a network's embeddings.
EMBEDDED = {"per_family": "nearest family mean", "per_instance": "nearest embedding"}
>>>>>>> 4b28eb5 (Neighbours, majority class, combinations fitted on dev, embedding neighbours and new families; table 3 with clans, seeds and verdicts)
