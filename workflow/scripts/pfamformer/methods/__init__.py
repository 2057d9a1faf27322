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
#: Methods for folds alone, by folder: a kernel machine, and it together with neighbours.
FOLD_METHODS = {
    "composition": "kernel machine on composition",
    "composition_and_vote": "fitted sum of 2 methods",
}
#: Neighbours in the space of a network's embeddings.
EMBEDDED = {"per_family": "nearest family mean", "per_instance": "nearest embedding"}
#: Localisers, as ``calls`` names them.
TAGGER, PROFILES = "tagger", "profile HMM"
#: Sets of calls of the profile HMMs, as their ``run``.
GATHERING, FITTED = "gathering thresholds", "fitted threshold"
#: Methods that call Gene Ontology terms. Names of networks begin with "network, ".
FREQUENCIES, BEST_IDENTITY = "naive frequencies", "neighbours, best identity"
BIT_SCORE_VOTE = "neighbours, bit-score vote"
#: The same hits read more narrowly; members of the ranking alone, the table has enough votes.
NEAREST_VOTE = "neighbours, vote of the nearest 5"
CLOSE_VOTE = "neighbours, vote by identity and coverage"
#: Combinations of these: one network and the vote, and all of them.
NETWORK_AND_VOTE, RANKING = "network and neighbours", "all methods, learned ranking"
