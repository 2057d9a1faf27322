"""Fmax, weighted Fmax, Smin against cafaeval, on its example and on random ontologies."""

from pathlib import Path

import cafaeval
import numpy as np
import pytest
from cafaeval.evaluation import cafa_eval

from pfamformer.evaluation import ontology as metrics
from pfamformer.evaluation.ontology import (
    THRESHOLDS,
    Scores,
    best,
    bins_of,
    bootstrap,
    curves,
    judge,
    make_graph,
)
from pfamformer.tasks.ontology import read_obo

EXAMPLE = Path(cafaeval.__file__).parent / "data" / "example"


def ours(obo, truth_file, prediction_file, information, judge_roots):
    """Curves and best values by namespace, from the files that cafaeval reads."""
    ontology = read_obo(obo)
    rows = [line.split() for line in Path(prediction_file).read_text().splitlines()]
    facts = [line.split() for line in Path(truth_file).read_text().splitlines()]
    found = {}
    for name in sorted({t.ontology for t in ontology.terms.values()}):
        graph = make_graph(ontology, name, information, judge_roots=judge_roots)
        inside = [(p, graph.position[ontology.resolve(t)]) for p, t in facts
                  if ontology.resolve(t) in graph.position]  # fmt: skip
        number = {p: i for i, p in enumerate(dict.fromkeys(p for p, _ in inside))}
        said = [(number[p], graph.position[ontology.resolve(t)], float(s)) for p, t, s in rows
                if p in number and ontology.resolve(t) in graph.position]  # fmt: skip
        if not said:
            continue
        protein, term, score = (np.array(column) for column in zip(*said, strict=True))
        truth = tuple(np.array(column) for column in zip(*((number[p], t) for p, t in inside),
                                                         strict=True))  # fmt: skip
        judged = judge(Scores(protein, term, bins_of(score)), truth, len(number), graph)
        found[name] = judged
    return found


def compare(obo, truth_file, prediction_file, folder, *, roots=True, seed=0):
    stream = np.random.default_rng(seed)
    ontology = read_obo(obo)
    information = {
        t.id: float(x) if t.parents else 0.0
        for t, x in zip(ontology.terms.values(), stream.gamma(1, 3, len(ontology.terms)),
                        strict=True)
    }  # fmt: skip
    ia = folder / "ia.tsv"
    ia.write_text("".join(f"{t}\t{x!r}\n" for t, x in information.items()))
    alone = folder / "predictions"
    alone.mkdir()
    (alone / "p.tsv").write_text(Path(prediction_file).read_text())
    theirs, theirs_best = cafa_eval(str(obo), str(alone), str(truth_file), ia=str(ia),
                                    no_orphans=not roots, n_cpu=1)  # fmt: skip
    judged = ours(obo, truth_file, prediction_file, information, roots)
    short = {"molecular_function": "mfo", "biological_process": "bpo"}
    compared = 0
    for namespace in theirs.index.get_level_values("ns").unique():
        table = theirs.xs(namespace, level="ns").reset_index()
        found = curves(judged[short.get(namespace, namespace)])
        at = np.searchsorted(THRESHOLDS, table["tau"].to_numpy())
        for column, values in (
            ("cov", found.coverage), ("pr", found.precision), ("rc", found.recall),
            ("f", found.f), ("f_w", found.f_w), ("ru_w", found.remaining), ("mi_w", found.wrong),
            ("s_w", found.s),
        ):  # fmt: skip
            np.testing.assert_allclose(values[at], table[column], rtol=0, atol=1e-9, err_msg=column)
        top = best(found)
        for metric, value in (("f", top.fmax), ("f_w", top.weighted_fmax)):
            expected = theirs_best[metric].xs(namespace, level="ns")[metric].item()
            assert value == pytest.approx(expected, abs=1e-9)
        assert top.smin == pytest.approx(table["s_w"].min(), abs=1e-9)
        compared += len(at)
    return compared


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_agrees_with_cafaeval_on_its_example(number, tmp_path):
    compared = compare(
        EXAMPLE / "IDPO_disorder_function.obo", EXAMPLE / "ground_truth.tsv",
        EXAMPLE / "predictions" / f"pred_{number}.tsv", tmp_path, roots=number % 2 == 0,
    )  # fmt: skip
    assert compared >= 10


def random_ontology(stream, path, terms):
    """Two namespaces of random directed acyclic graphs with several parents each."""
    text = ["format-version: 1.2\n"]
    for offset, namespace in enumerate(("molecular_function", "biological_process")):
        for i in range(terms):
            lines = [f"id: GO:{offset}{i:06d}", f"name: t{i}", f"namespace: {namespace}"]
            if i == 1:
                lines.append(f"alt_id: GO:9{offset}00000")
            for k, parent in enumerate(stream.choice(i, min(i, 1 + i % 3), replace=False)):
                parent = f"GO:{offset}{parent:06d}"
                lines.append(f"relationship: part_of {parent}" if k else f"is_a: {parent} ! x")
            text.append("[Term]\n" + "\n".join(lines) + "\n")
    # A parent in the other ontology, which both leave out.
    text.append("[Term]\nid: GO:0999999\nname: x\nnamespace: molecular_function\n"
                "is_a: GO:0000003\nrelationship: part_of GO:1000004\n")  # fmt: skip
    path.write_text("\n".join(text))


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_cafaeval_on_random_ontologies(seed, tmp_path):
    stream = np.random.default_rng(seed)
    random_ontology(stream, tmp_path / "o.obo", 60)
    terms = [f"GO:{o}{i:06d}" for o in (0, 1) for i in range(60)] + ["GO:0999999", "GO:9000000"]
    facts = {(f"P{stream.integers(25)}", stream.choice(terms)) for _ in range(60)}
    (tmp_path / "truth.tsv").write_text("".join(f"{p}\t{t}\n" for p, t in sorted(facts)))
    # Two decimals put scores on the thresholds themselves.
    digits = 2 if seed % 2 else 4
    said = [(f"P{stream.integers(30)}", stream.choice(terms), round(stream.random(), digits))
            for _ in range(400)]  # fmt: skip
    (tmp_path / "said.tsv").write_text("".join(f"{p}\t{t}\t{s}\n" for p, t, s in said))
    args = (tmp_path / "o.obo", tmp_path / "truth.tsv", tmp_path / "said.tsv", tmp_path)
    assert compare(*args, roots=seed % 3 == 0, seed=seed) > 100


def random_question(stream, proteins, folder):
    random_ontology(stream, folder / "o.obo", 60)
    ontology = read_obo(folder / "o.obo")
    graph = make_graph(ontology, "mfo", dict.fromkeys(ontology.terms, 1.5))
    terms = len(graph.terms)
    truth = np.tile(np.arange(proteins), 2), stream.integers(terms, size=2 * proteins)
    size = 10 * proteins
    scores = Scores(stream.integers(proteins, size=size), stream.integers(terms, size=size),
                    bins_of(stream.random(size)))  # fmt: skip
    return scores, truth, graph


def test_blocks_change_nothing(stream, tmp_path, monkeypatch):
    scores, truth, graph = random_question(stream, 23, tmp_path)
    negatives = np.array([3, 22, 7]), np.array([5, 9, 30])
    whole = judge(scores, truth, 23, graph, negatives)
    monkeypatch.setattr(metrics, "_BLOCK", 5 * len(graph.terms))
    parts = judge(scores, truth, 23, graph, negatives)
    for name, values in vars(whole).items():
        if name != "negative_bins":
            np.testing.assert_array_equal(getattr(parts, name), values)
    # Negatives come back by block of their protein.
    assert sorted(parts.negative_bins) == sorted(whole.negative_bins)


def test_negatives_have_the_propagated_score(stream, tmp_path):
    scores, truth, graph = random_question(stream, 9, tmp_path)
    everything = np.repeat(np.arange(9), len(graph.terms)), np.tile(range(len(graph.terms)), 9)
    found = judge(scores, truth, 9, graph, everything).negative_bins.reshape(9, -1)
    below = np.eye(len(graph.terms), dtype=bool)
    for child, parent in graph.edges:  # children first: what is below a child is known
        below[parent] |= below[child]
    for protein in range(9):
        own = np.zeros(len(graph.terms), dtype=int)
        mine = scores.protein == protein
        np.maximum.at(own, scores.term[mine], scores.bin[mine])
        expected = [own[below[t]].max() for t in range(len(graph.terms))]
        assert found[protein].tolist() == expected


def test_bootstrap_is_resampling_of_proteins(stream, tmp_path):
    scores, truth, graph = random_question(stream, 30, tmp_path)
    judged = judge(scores, truth, 30, graph)
    drawn = bootstrap(judged, draws=150, seed=5)
    again = np.random.default_rng(5)
    # The same draws, each protein repeated as often as it was drawn.
    for i, step in ((0, 100), (100, 50)):
        counts = again.multinomial(30, np.full(30, 1 / 30), size=step)
        for k in (0, step - 1):
            top = best(curves(judged.take(np.repeat(np.arange(30), counts[k]))))
            assert drawn.fmax[i + k] == pytest.approx(top.fmax, abs=1e-12)
            assert drawn.smin[i + k] == pytest.approx(top.smin, abs=1e-12)
            assert drawn.weighted_fmax[i + k] == pytest.approx(top.weighted_fmax, abs=1e-12)


def test_without_any_prediction_there_is_no_smin(stream, tmp_path):
    scores, truth, graph = random_question(stream, 5, tmp_path)
    nothing = Scores(*(values[:0] for values in vars(scores).values()))
    top = best(curves(judge(nothing, truth, 5, graph)))
    assert top.fmax == 0 and np.isnan(top.smin)
