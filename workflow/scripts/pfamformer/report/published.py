"""Numbers of the original study, printed beside ours. Each names where the study reports it."""

from __future__ import annotations

#: Table 1: masked residues of a sub-sample of Pfam after pretraining.
TABLE_1 = {"loss": 2.07, "ece": 7.97, "perplexity": 11.10, "accuracy": 0.32}
#: Table 2: residues rightly said to be inside or outside of a domain, per cent.
TABLE_2 = {"classic": 56, "predeach": 62, "linattn": 69, "majority class": 71}
#: Table 3: share of test domains given their right family, clustered split, per cent.
TABLE_3: dict[str, float] = {
    "dropout": 78.8,
    "classic": 72.83,
    "predeach": 69.58,
    "multispace max": 64.26,
    "multispace mean": 65.48,
    "linattn": 65.56,
    "ProtCNN": 72.3,
    "top-pick pHMM": 81.9,
}
#: Our variants of a method that the study reports once.
SAME_AS = {"predeach mean": "predeach", "predeach max": "predeach"}
#: Families among which the study's table 3 chooses.
TABLE_3_FAMILIES = 17_929
#: Table 4: remote homology, fold holdout of TAPE, per cent, by our name of the method. TAPE's own
#: Transformer has 21.
TABLE_4: dict[str, float] = {"pool mean": 20.6, "classic": 20.6, "ResNet": 17.0, "LSTM": 26.0}
#: Table 5: norm of the antisymmetric part of attention, mean and standard deviation.
TABLE_5 = {"trained": (1.397, 1e-6), "untrained": (0.192, 0.010)}
#: Table 6: annotated proteins of CAFA3, and those with more than one appearance.
TABLE_6: dict[str, tuple[int, int]] = {
    "bpo": (62_342, 603),
    "cco": (14_534, 219),
    "mfo": (9_138, 377),
}
#: Table 7: ancestors of predicted terms that are predicted too, per cent, by threshold.
TABLE_7: dict[str, dict[float, float]] = {
    "mfo": {0.9: 85.95, 0.2: 97.07},
    "bpo": {0.9: 85.21, 0.2: 96.79},
    "cco": {0.9: 81.80, 0.2: 96.73},
}
#: Figure 14 and section 4.4: attention against contacts.
FIGURE_14 = (
    "All contacts with heads pooled about 22 % precision at a very low recall; far contacts with "
    "the best head about 38 % at 10 % recall; far contacts with the largest of all heads about "
    "10 % at 40 % recall; near contacts with the best head almost 100 % at 0.5 % recall. Contacts "
    "are about 1 % of pairs."
)
