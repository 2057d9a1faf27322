"""Classifiers behind the tables ``predictions`` and ``scores``, localisers behind ``calls``.

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
#: Localisers, as ``calls`` names them.
TAGGER, PROFILES = "tagger", "profile HMM"
#: Sets of calls of the profile HMMs, as their ``run``.
GATHERING, FITTED = "gathering thresholds", "fitted threshold"
