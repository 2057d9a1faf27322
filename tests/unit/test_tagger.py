import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyhmmer
import pytest
import torch
import torch.nn.functional as F
from pyhmmer.easel import TextMSA, TextSequence

from pfamformer.config import NetworkSettings, TaggerSettings
from pfamformer.methods import FITTED, GATHERING
from pfamformer.methods.profile_hmm import AMINO, write_profiles
from pfamformer.methods.profile_locator import (
    best_of_overlapping,
    gathering_thresholds,
    profile_calls,
)
from pfamformer.methods.tagging import calls
from pfamformer.model.tagger import Tagger, Tags
from pfamformer.training.batches import BatchPlan, read_in_order
from pfamformer.training.loop import train
from pfamformer.training.optimizers import make_optimizer
from pfamformer.training.state import StateFolder
from pfamformer.training.tagging import Rows, Tagging

LETTERS = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
SETTINGS = TaggerSettings(
    kind="tagger", epochs=1, learning_rate=3e-3, tokens_per_batch=1024, start_from="x", dropout=0,
    warmup_share=0, precision="float32", max_length=100,
)  # fmt: skip
NETWORK = NetworkSettings(layers=2, width=32, heads=2, feed_forward=64, dropout=0)


def data_set(proteins=12, part="train"):
    """Proteins of random residues with one domain each: a run of W (family A) or C (family B)."""
    stream = np.random.default_rng(3)
    rows, domains = [], []
    for i in range(proteins):
        length = int(stream.integers(40, 60))
        start = int(stream.integers(5, 15))
        end = start + int(stream.integers(12, 20)) - 1
        letters = stream.choice(LETTERS[~np.isin(LETTERS, ["W", "C"])], length)
        letters[start - 1 : end] = "WC"[i % 2]
        # The slice lies at residue 101 of its protein.
        name = f"p{i}/101-{100 + length}"
        rows.append((name, f"p{i}", 101, 100 + length, i, part, "protein", "".join(letters)))
        domains.append((name, f"p{i}", 100 + start, 100 + end, "AB"[i % 2]))
    table = pd.DataFrame(
        rows,
        columns=["id", "protein", "start", "end", "component", "part", "kind", "sequence"],
    )
    return table, pd.DataFrame(domains, columns=["id", "protein", "start", "end", "family"])


def test_rows_label_every_residue_as_its_domain_says():
    table, domains = data_set()
    extra = domains.iloc[[0]].assign(start=domains["start"][0] + 3, end=domains["start"][0] + 6)
    domains = pd.concat([domains, extra.assign(family="B")], ignore_index=True)
    rows = Rows(table, domains, {"A": 0, "B": 1})
    for i, row in table.iterrows():
        kinds, families = [0] * len(row["sequence"]), [-1] * len(row["sequence"])
        inside = domains[domains["id"] == row["id"]]
        for domain in sorted(inside.itertuples(), key=lambda d: d.start - d.end):
            for residue in range(domain.start, domain.end + 1):
                kind = {domain.start: 1, domain.end: 3}.get(residue, 2)
                kinds[residue - 101], families[residue - 101] = kind, "AB".index(domain.family)
        assert rows.kinds[i].tolist() == kinds
        assert rows.families[i].tolist() == families


def test_the_loss_is_the_sum_over_residues():
    table, domains = data_set(4)
    rows = Rows(table, domains, {"A": 0, "B": 1})
    torch.manual_seed(0)
    model = Tagger(NETWORK, 2, SETTINGS).eval()
    (batch,) = read_in_order(rows.sequences, 4096, 100)
    with torch.inference_mode():
        outcome = Tagging(rows.kinds, rows.families)(model, batch)
        tags_BL = model.tags(model.encoder(batch.inputs))
    loss = right = 0.0
    for position, row in enumerate(batch.rows):
        length = len(rows.kinds[row])
        tags = Tags(*(logits[position, 1 : length + 1] for logits in tags_BL))
        for i in range(length):
            kind, family = int(rows.kinds[row][i]), int(rows.families[row][i])
            loss += float(F.cross_entropy(tags.kinds[i], torch.tensor(kind)))
            good = int(tags.kinds[i].argmax()) == kind
            if family >= 0:
                loss += float(F.cross_entropy(tags.families[i], torch.tensor(family)))
                good = good and int(tags.families[i].argmax()) == family
            right += good
    assert float(outcome.loss) == pytest.approx(loss, rel=1e-5)
    assert int(outcome.right) == right
    assert int(outcome.targets) == sum(map(len, rows.kinds))


def test_a_small_tagger_finds_the_domains_it_was_shown(tmp_path):
    table, domains = data_set()
    rows = Rows(table, domains, {"A": 0, "B": 1})
    torch.manual_seed(0)
    model = Tagger(NETWORK, 2, SETTINGS)
    train(
        model, Tagging(rows.kinds, rows.families), rows.sequences, SETTINGS, steps=60,
        plan=BatchPlan(rows.sequences.lengths, 1024, 100, 1),
        optimizer=make_optimizer([(model, 1.0)], SETTINGS),
        state=StateFolder(tmp_path, {}),
    )  # fmt: skip
    batches = read_in_order(rows.sequences, 1024, 100)
    found = calls(model, batches, table, ["A", "B"], rows.grammar(), "run")
    wanted = domains.sort_values(["protein", "start"])[["protein", "start", "end", "family"]]
    assert found[["protein", "start", "end", "label"]].to_numpy().tolist() == (
        wanted.to_numpy().tolist()
    )
    assert found["score"].between(0.5, 1).all()


def test_profile_calls_equal_those_of_hmmsearch(tmp_path):
    stream = np.random.default_rng(5)
    ancestor = stream.choice(LETTERS, 60)

    def member():
        changed = stream.random(60) < 0.3
        return "".join(np.where(changed, stream.choice(LETTERS, 60), ancestor))

    alignment = TextMSA(
        name="A", sequences=[TextSequence(name=f"s{i}", sequence=member()) for i in range(8)]
    ).digitize(AMINO)
    builder = pyhmmer.plan7.Builder(AMINO, seed=1)
    hmm, _, _ = builder.build_msa(alignment, pyhmmer.plan7.Background(AMINO))
    table, _ = data_set()
    table["sequence"] = [s + member() + s + member() for s in table["sequence"]]
    found = profile_calls([hmm], table, {"A": (20.0, 20.0)}, 1)
    write_profiles(tmp_path / "a.hmm", [hmm])
    (tmp_path / "a.fasta").write_text(
        "".join(f">{p}\n{s}\n" for p, s in zip(table["protein"], table["sequence"], strict=True))
    )
    subprocess.run(
        [Path(sys.executable).parent / "hmmsearch", "--domtblout", tmp_path / "out", "--domT", "20",
         "-T", "20", tmp_path / "a.hmm", tmp_path / "a.fasta"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    lines = [x.split() for x in (tmp_path / "out").read_text().splitlines() if x[0] != "#"]
    expected = sorted((x[0], int(x[19]) + 100, int(x[20]) + 100) for x in lines)
    ours = found[found["run"] == GATHERING]
    assert sorted(ours[["protein", "start", "end"]].itertuples(index=False, name=None)) == expected
    assert len(expected) == 24
    assert len(found[found["run"] == FITTED]) >= 24


def test_competing_calls_leave_the_best():
    columns = ["protein", "start", "end", "label", "score"]
    rows = [("p", 1, 100, "A", 9), ("p", 40, 120, "B", 8), ("p", 95, 160, "C", 7)]
    rows.append(("q", 1, 9, "A", 1))
    kept = best_of_overlapping(pd.DataFrame(rows, columns=columns))
    assert kept["label"].tolist() == ["A", "C", "A"]


def test_gathering_thresholds_are_read_as_pfam_writes_them():
    families = pd.DataFrame({"family": list("ABC"), "gathering": ["21.20 22.00;", "25 25", None]})
    assert gathering_thresholds(families) == {"A": (21.2, 22.0), "B": (25.0, 25.0)}
