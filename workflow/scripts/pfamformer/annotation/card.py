"""The model card: what is in a model folder, how good it is, what it must not be used for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfamformer.annotation.model import FILES
from pfamformer.tasks.ontology import SHORT

_LONG = {short: long.replace("_", " ") for long, short in SHORT.items()}
_WHAT = {
    "profiles": "profile HMMs of the training domains (HMMER 3)",
    "families": "accession, name, description and clan of each family",
    "classifier": "network that says which family a piece of a protein is",
    "tagger": "network that says where domains begin and end",
    "terms": "Gene Ontology terms: name, ontology, information",
    "term_network": "network that says which GO terms a protein has",
    "family_terms": "GO terms of families (InterPro's mapping)",
}


def write_card(about: Mapping[str, Any]) -> str:
    """Markdown made from ``model.json``."""
    files = [f"| `{FILES[part]}` | {_WHAT[part]} |" for part in about["files"]]
    return "\n".join(
        [
            f"# {about['title']}: model",
            "",
            f"Finds {about['families']:,} Pfam families on proteins. Made by pfamformer from the "
            f"project `{about['project']}` (seed {about['seed']}).",
            "",
            "```",
            "snakemake annotate --cores 2 --config query=my.fasta model=FOLDER",
            "```",
            "",
            "needs this folder alone: no training data, no training.",
            "",
            "## Files",
            "",
            "| file | content |",
            "|---|---|",
            *files,
            "| `model.json` | labels, calibration, thresholds, SHA-256 of every file |",
            "",
            "## Training data",
            "",
            f"{about['training_domains']:,} domains of {about['families']:,} families; "
            f"{about['dev_domains']:,} and {about['test_domains']:,} more, dissimilar to them by "
            "the project's definition, chose and calibrated it, and judged it. Settings: "
            "`settings` in `model.json`.",
            "",
            "## Quality on held-out data",
            "",
            *(f"- {sentence}" for sentence in quality(about)),
            "",
            "## Limits",
            "",
            "- A protein of a family that is not in `families.tsv` is called nothing, or wrongly.",
            "- The family network always names one of its families: its probability holds for "
            "pieces that are a domain of one of them, as profile HMM or tagger found them.",
            "- GO terms are as incomplete as the annotations that they were learnt and judged "
            "from: what is counted as wrong may be true and not yet known.",
            "- Not for medical use.",
            "",
        ]
    )


def quality(about: Mapping[str, Any]) -> list[str]:
    """One sentence for each part of a model that was judged."""
    return [words(about[part]) for part, words in _QUALITY.items() if part in about]


def _classifier(about: Mapping[str, Any]) -> str:
    return (
        f"Family network (run `{about['run']}`): {100 * about['test_accuracy']:.1f} % of "
        f"{about['test_domains']:,} test domains right; expected calibration error "
        f"{100 * about['test_calibration_error']:.1f} % at temperature {about['temperature']:.2f}."
    )


def _tagger(about: Mapping[str, Any]) -> str:
    curve = (
        "its scores are probabilities by an isotonic curve"
        if about["curve"]
        else f"its scores are posteriors as they are: {about['dev_calls']} calls on the "
        "development part are too few to calibrate them"
    )
    if not about["test_calls"]:
        return f"Tagger (run `{about['run']}`): calls nothing on the test proteins; {curve}."
    return (
        f"Tagger (run `{about['run']}`): finds {100 * about['test_recall']:.1f} % of the test "
        f"domains, {100 * about['test_precision']:.1f} % of its calls are right; {curve}."
    )


def _terms(about: Mapping[str, Any]) -> str:
    if about["test_calibration_error"] is None:
        return f"GO network (run `{about['run']}`): no test call to judge it by."
    how = "after an isotonic curve" if about["curve"] else "not calibrated, too few calls"
    return (
        f"GO network (run `{about['run']}`): expected calibration error of its probabilities "
        f"{100 * about['test_calibration_error']:.1f} % ({how}; "
        f"{100 * about['test_calibration_error_before']:.1f} % before) over "
        f"{about['test_calls']:,} test calls."
    )


def _family_terms(about: Mapping[str, Any]) -> str:
    if not about["probability"]:
        return "Terms of families: no development call to judge them by; no probability is given."
    said = ", ".join(
        f"{100 * share:.0f} % ({_LONG.get(ontology, ontology)}, "
        f"{about['dev_calls'][ontology]} calls)"
        for ontology, share in sorted(about["probability"].items())
    )
    return f"Terms of families hold for {said} of the development proteins' calls."


_QUALITY = {
    "classifier": _classifier,
    "tagger": _tagger,
    "term_network": _terms,
    "family_terms": _family_terms,
}
