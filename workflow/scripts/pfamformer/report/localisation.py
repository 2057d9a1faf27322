"""Localisation: every localiser on the same held-out proteins, as a table, tracks and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfamformer.config import EvaluationSettings
from pfamformer.evaluation.intervals import (
    bootstrap_ratio,
    group_weights,
    percentile_interval,
)
from pfamformer.evaluation.localisation import (
    Matches,
    boundary_error,
    match,
    residue_rates,
    set_aside,
    threshold_at,
)
from pfamformer.methods import FITTED, GATHERING, PROFILES
from pfamformer.methods.outputs import places
from pfamformer.report.figures import COLOURS, INK, STYLE, Hover, plt
from pfamformer.report.items import Column, Item, said

#: Overlaps (intersection over union) at which a call counts as right.
OVERLAPS = (0.5, 0.8)
#: Proteins drawn as tracks, and the fewest domains that make one worth drawing.
TRACKS, DRAWN_DOMAINS = 6, 2
DOMAINS_ALONE = (
    "The proteins of this project are its domains and nothing else: these numbers do not say "
    "whether a method finds where domains are."
)
# Height of a domain; tracks are 1 apart.
BAR = 0.62


def make_table(
    calls: Sequence[tuple[str, str, pd.DataFrame]],
    slices: pd.DataFrame,
    domains: pd.DataFrame,
    settings: EvaluationSettings,
    seed: int,
    regions: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """One row per method, judged on the test proteins; and the calls of each that count.

    Calls count from the score that gives the best F1 on the development proteins, among those at
    which calls on shuffled development slices are at most the allowed share of all; gathering
    thresholds have been applied already.

    Args:
        calls: method, run and its ``calls`` table.
        regions: all known domains, where the sources list more than the seed holds.
    """
    rows, kept, sums = [], {}, {}
    for method, run, given in calls:
        found = given
        if regions is not None:
            found = set_aside(given, domains, regions, OVERLAPS[0])
        on_dev = _on(found, slices, "dev", "protein")
        matched = match(on_dev, _truth(slices, domains, "dev"), OVERLAPS[0])
        least = -np.inf if run == GATHERING else _threshold(found, matched, slices, settings)
        counted = _on(found, slices, "test", "protein")
        counted = counted[counted["score"] >= least]
        name = method if run == method else f"{method} ({run})"
        kept[name] = counted
        sums[name] = {overlap: _sums(counted, slices, domains, overlap) for overlap in OVERLAPS}
        rows.append(
            {"method": method, "run": run, "threshold": least}
            | {"dev_precision": 100 * matched.scores(least)["precision"]}
            | _judge(counted, sums[name], slices, domains, settings, seed)
            | _false_calls(found[found["score"] >= least], slices)
        )
    table = pd.DataFrame(rows)
    profile = sums.get(f"{PROFILES} ({FITTED})")
    if profile is not None:
        gains = [_gain(its, profile, settings, seed) for its in sums.values()]
        table = pd.concat([table, pd.DataFrame(gains)], axis=1)
    return table, kept


def _gain(
    method: Mapping[float, pd.DataFrame],
    profile: Mapping[float, pd.DataFrame],
    settings: EvaluationSettings,
    seed: int,
) -> dict[str, float]:
    """F1 less that of the profile HMM with a fitted threshold, percentage points, paired.

    Components are resampled for both together. The p-value is twice the share of resamplings in
    which the difference has the other sign, at least one resampling (Efron and Tibshirani 1993).

    Args:
        method, profile: by overlap, what :func:`_sums` says of their calls.
    """
    row = {}
    for overlap in OVERLAPS:
        sums = method[overlap], profile[overlap]
        index = sums[0].index.union(sums[1].index)
        one, other = (found.reindex(index, fill_value=0.0).to_numpy().T for found in sums)
        value = one[0].sum() / one[1].sum() - other[0].sum() / other[1].sum()
        stream = np.random.default_rng(seed)
        weights = group_weights(len(index), settings.bootstrap, stream)
        drawn = (weights @ one[0]) / (weights @ one[1]) - (weights @ other[0]) / (
            weights @ other[1]
        )
        interval = percentile_interval(value, drawn, settings.confidence)
        # As often on either side: no difference, p = 1.
        beyond = min(np.mean(drawn <= 0), np.mean(drawn >= 0))
        name = f"f1_gain_at_{round(100 * overlap)}"
        row |= {
            name: 100 * value,
            f"{name}_low": 100 * interval.low,
            f"{name}_high": 100 * interval.high,
            f"{name}_p": min(1.0, 2 * max(beyond, 1 / settings.bootstrap)),
        }
    return row


def _sums(
    counted: pd.DataFrame, slices: pd.DataFrame, domains: pd.DataFrame, overlap: float
) -> pd.DataFrame:
    """F1 as 2·right / (calls + domains): ``right`` and ``total`` of each component."""
    truth = _truth(slices, domains)
    component = slices.drop_duplicates("protein").set_index("protein")["component"]
    found = match(counted, truth, overlap).calls
    right = found[found["iou"] > 0].groupby("protein").size()
    total = counted.groupby("protein").size().add(truth.groupby("protein").size(), fill_value=0)
    by = pd.DataFrame({"right": 2 * right, "total": total}).fillna(0.0)
    return by.groupby(component.reindex(by.index).to_numpy()).sum()


def _threshold(
    found: pd.DataFrame, matched: Matches, slices: pd.DataFrame, settings: EvaluationSettings
) -> float:
    """The score from which calls count, from development slices and their shuffled copies.

    There are fewer shuffled residues than real ones: the real calls are scaled down accordingly by
    drawing every k-th of them in the order of their scores.
    """
    dev = slices[slices["part"] == "dev"]
    residues = dev.groupby("kind")["sequence"].apply(lambda s: s.str.len().sum())
    every = max(1, round(residues.get("protein", 1) / max(1, residues.get("shuffled", 1))))
    real = np.sort(_on(found, slices, "dev", "protein")["score"].to_numpy())[::-1][::every]
    false = _on(found, slices, "dev", "shuffled")["score"].to_numpy()
    allowed = threshold_at(false, real, settings.false_discovery_rate)
    scores = matched.calls["score"].unique()
    return max(
        sorted(scores[scores >= allowed], reverse=True),
        key=lambda score: matched.scores(score)["f1"],
        default=float("inf"),
    )


def _on(found: pd.DataFrame, slices: pd.DataFrame, part: str, kind: str) -> pd.DataFrame:
    names, _ = places(slices[(slices["part"] == part) & (slices["kind"] == kind)])
    return found[found["protein"].isin(set(names))]


def _lengths(slices: pd.DataFrame, kind: str) -> dict[str, int]:
    chosen = slices[(slices["part"] == "test") & (slices["kind"] == kind)]
    names, _ = places(chosen)
    ends = chosen["end"] if kind == "protein" else chosen["sequence"].str.len()
    return pd.Series(ends.to_numpy(), index=names).groupby(level=0).max().astype(int).to_dict()


def _truth(slices: pd.DataFrame, domains: pd.DataFrame, part: str = "test") -> pd.DataFrame:
    chosen = slices[(slices["part"] == part) & (slices["kind"] == "protein")]
    return domains[domains["id"].isin(chosen["id"])]


def _judge(
    counted: pd.DataFrame,
    sums: Mapping[float, pd.DataFrame],
    slices: pd.DataFrame,
    domains: pd.DataFrame,
    settings: EvaluationSettings,
    seed: int,
) -> dict[str, float]:
    truth, lengths = _truth(slices, domains), _lengths(slices, "protein")
    row: dict[str, float] = {"proteins": len(lengths), "domains": len(truth), "calls": len(counted)}
    for overlap in OVERLAPS:
        found = match(counted, truth, overlap)
        name = f"at_{round(100 * overlap)}"
        for key, value in found.scores().items():
            row[f"{key}_{name}"] = 100 * value
        interval = bootstrap_ratio(
            sums[overlap]["right"].to_numpy(), sums[overlap]["total"].to_numpy(),
            settings.bootstrap, settings.confidence, np.random.default_rng(seed),
        )  # fmt: skip
        row[f"f1_{name}_low"], row[f"f1_{name}_high"] = 100 * interval.low, 100 * interval.high
        if overlap == OVERLAPS[0]:
            row |= {f"boundary_{k}": v for k, v in boundary_error(found).items()}
    rates = residue_rates(counted, truth, lengths)
    return row | {f"residue_{key}": 100 * value for key, value in rates.items()}


def _false_calls(found: pd.DataFrame, slices: pd.DataFrame) -> dict[str, float]:
    """Share of residues of shuffled test slices that were called, per cent."""
    lengths = _lengths(slices, "shuffled")
    false = found[found["protein"].isin(lengths)]
    nothing = pd.DataFrame(columns=["protein", "start", "end", "family"])
    rate = residue_rates(false, nothing, lengths)["fpr"] if lengths else float("nan")
    return {"residue_fpr_shuffled": 100 * rate}


def draw_tracks(
    kept: Mapping[str, pd.DataFrame],
    slices: pd.DataFrame,
    domains: pd.DataFrame,
    names: Mapping[str, str],
) -> tuple[Figure, list[Hover]]:
    """Truth and every method's calls on the shortest test proteins with several domains.

    Returns:
        The figure, one panel per protein, and what its domains say under the pointer.
    """
    truth = _truth(slices, domains).rename(columns={"family": "label"})
    lengths = _lengths(slices, "protein")
    count = truth.groupby("protein").size()
    several = count[count >= DRAWN_DOMAINS]
    # The shortest first: their domains are wide enough to be named.
    order = sorted(several.index, key=lambda p: (lengths[p], p))
    # One protein of each combination of families: relatives would look alike.
    together = truth.groupby("protein")["label"].agg(lambda labels: tuple(sorted(set(labels))))
    first = {together[protein]: protein for protein in reversed(order)}
    order = [p for p in order if first[together[p]] == p][:TRACKS] or sorted(lengths)[:1]
    tracks = {"truth": truth.assign(right=True)}
    for name, calls in kept.items():
        found = match(calls, truth.rename(columns={"label": "family"}), OVERLAPS[0]).calls
        tracks[name] = found.assign(right=found["iou"] > 0)
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure, panels = plt.subplots(
            len(order), 1, figsize=(9, (0.32 * len(tracks) + 0.75) * len(order)), squeeze=False
        )
        hovers = [
            hover
            for axes, protein in zip(panels[:, 0], order, strict=True)
            for hover in _draw_protein(axes, protein, lengths[protein], tracks, names)
        ]
        panels[-1, 0].set_xlabel("residue")
    return figure, hovers


def _draw_protein(
    axes: matplotlib.axes.Axes,
    protein: str,
    length: int,
    tracks: Mapping[str, pd.DataFrame],
    names: Mapping[str, str],
) -> list[Hover]:
    here = {name: table[table["protein"] == protein] for name, table in tracks.items()}
    labels = sorted({label for table in here.values() for label in table["label"]})
    colour = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}
    hovers = []
    for height, table in enumerate(reversed(list(here.values()))):
        axes.plot([1, length], [height, height], color="#bbbbbb", lw=1, zorder=0)
        for domain in table.itertuples():
            width = domain.end - domain.start + 1
            inside, edge = colour[domain.label], "white"
            if not domain.right:
                inside, edge = edge, inside
            axes.barh(
                height, width, left=domain.start, height=BAR, color=inside, edgecolor=edge,
                lw=0.6 if domain.right else 1.2,
            )  # fmt: skip
            text = names.get(domain.label, domain.label)
            score = f", score {domain.score:.3g}" if hasattr(domain, "score") else ""
            wrong = "" if domain.right else ", no known domain overlaps it enough"
            shown = f"{text} ({domain.label}), residues {domain.start}–{domain.end}{score}{wrong}"
            hovers.append(Hover(axes, domain.start, height - BAR / 2, width, BAR, shown))
            # A letter takes about 1/95 of the panel's width at this size.
            if width / length > (len(text) + 1) / 95:
                axes.text(
                    domain.start + width / 2, height, text, ha="center", va="center",
                    color="white" if domain.right else INK, fontsize=8,
                )  # fmt: skip
    axes.set_yticks(range(len(here)), list(reversed(here)), fontsize=8)
    axes.set_ylim(-0.6, len(here) - 0.4)
    axes.set_xlim(1, length + 1)
    axes.set_title(f"{protein}, {length} residues", loc="left", fontsize=9, color=INK)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return hovers


def describe(
    table: pd.DataFrame,
    slices: pd.DataFrame,
    domains: pd.DataFrame,
    settings: EvaluationSettings,
) -> Item:
    """The report item, from :func:`make_table` and what it was given."""
    text, short = [_paragraph(table, settings)], _short(table)
    if _domains_alone(slices, domains):
        text.append(DOMAINS_ALONE)
        short = {"shortfalls": [DOMAINS_ALONE]}
    columns = [
        Column("method", "method", "text"),
        Column("run", "run", "text"),
        Column("f1_at_50", "F1 at overlap 0.5, %", "interval"),
        Column("f1_at_80", "F1 at overlap 0.8, %", "interval"),
        Column("f1_gain_at_50", "F1 above the fitted profile HMM's, points", "interval"),
        Column("precision_at_50", "precision, %"),
        Column("recall_at_50", "recall, %"),
        Column("boundary_median", "boundary error, residues"),
        Column("residue_tpr", "residues found, %"),
        Column("residue_fpr", "residues outside called, %"),
        Column("residue_fpr_shuffled", "shuffled residues called, %", digits=2),
    ]
    return Item(
        name="localisation",
        section="locations",
        title="Domains on held-out proteins",
        caption="The shortest test proteins with several domains, one of each combination of "
        "families: known domains, then what each method says; calls that overlap no known domain "
        "of their family by half (intersection over union) are drawn hollow. In the table, "
        "precision and recall "
        "are at an overlap (intersection over union) of 0.5, the boundary error is the median over "
        "both ends of the domains found so.",
        text=text,
        figure="localisation.svg",
        numbers="localisation.tsv",
        columns=columns,
        rank=1,
        **short,
    )


def _domains_alone(slices: pd.DataFrame, domains: pd.DataFrame) -> bool:
    """Whether every test protein is one domain from end to end."""
    lengths = _lengths(slices, "protein")
    whole = domains["end"] - domains["start"] + 1 == domains["protein"].map(lengths)
    return set(lengths) <= set(domains.loc[whole, "protein"])


def _short(table: pd.DataFrame) -> dict[str, list[str]]:
    """The best tagger beside the profile HMM, in one sentence."""
    taggers = table[table["method"] != PROFILES]
    profile = table[table["run"] == FITTED].iloc[0]
    reference = f"the profile HMM has an F1 of {profile['f1_at_50']:.1f} %"
    if taggers.empty:
        return {"shortfalls": [f"No tagger was trained to find domains; {reference}."]}
    best = taggers.sort_values("f1_at_50").iloc[-1]
    if not best["calls"]:
        return {"shortfalls": [f"No tagger calls any domain at its threshold; {reference}."]}
    both = f"F1 {best['f1_at_50']:.1f} % and {profile['f1_at_50']:.1f} %"
    return said(
        best["f1_gain_at_50_low"] > 0,
        f"The tagger finds more domains on held-out proteins than the profile HMM: {both}.",
        f"The tagger does not find more domains on held-out proteins than the profile HMM: {both}.",
    )


def _paragraph(table: pd.DataFrame, settings: EvaluationSettings) -> str:
    first = table.iloc[0]
    text = (
        f"{first['domains']:,.0f} domains on {first['proteins']:,.0f} test proteins; none of them "
        "has a domain with a homologue on a training protein. "
    )
    gathering, profile = (table[table["run"] == run].iloc[0] for run in (GATHERING, FITTED))
    text += (
        f"The profile HMM reaches an F1 of {gathering['f1_at_50']:.1f} % at an overlap of 0.5 with "
        f"Pfam's gathering thresholds and of {profile['f1_at_50']:.1f} % with a fitted one. "
    )
    taggers = table[table["method"] != PROFILES]
    if taggers.empty:
        return text + "No tagger was trained in this configuration."
    best = taggers.sort_values("f1_at_50").iloc[-1]
    gain, low, high, p = (best[f"f1_gain_at_50{end}"] for end in ("", "_low", "_high", "_p"))
    significant = "significant" if low > 0 or high < 0 else "not significant"
    verdict = (
        f"{abs(gain):.1f} percentage points {'above' if gain > 0 else 'below'} the latter "
        f"({low:.1f} to {high:.1f}, paired over components, p = {p:.2g}: {significant})"
    )
    return (
        text
        + f"The best tagger ({best['run']}) reaches {best['f1_at_50']:.1f} %, {verdict}; fitted "
        "thresholds give the best F1 on development proteins among those that allow "
        f"{100 * settings.false_discovery_rate:g} % false calls, estimated on shuffled ones."
        + _wrong_on_dev(best["dev_precision"], profile["dev_precision"])
    )


def _wrong_on_dev(tagger: float, profile: float) -> str:
    """Shares of wrong calls (from precisions in per cent), where both call anything there."""
    if not (np.isfinite(tagger) and np.isfinite(profile)):
        return ""
    return (
        f" On real development proteins {100 - tagger:.0f} % of the tagger's calls and "
        f"{100 - profile:.0f} % of the profile HMM's are wrong at these."
    )
