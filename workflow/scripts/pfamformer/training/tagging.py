"""The residue tagger: its objective, its data, its run."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from pfamformer.command import atomic_path, log
from pfamformer.config import TaggerSettings
from pfamformer.methods.decoding import Grammar
from pfamformer.methods.family_halves import AlignedFamily
from pfamformer.methods.tagging import calls
from pfamformer.model.chain_tagger import ChainTagger
from pfamformer.model.tagger import FIRST, LAST, MIDDLE, OUTSIDE, Tagger
from pfamformer.sequences.alphabet import encode
from pfamformer.tables import write_table
from pfamformer.training.batches import Batch, InMemory, read_in_order
from pfamformer.training.chain_tagging import fit_chain_tagger
from pfamformer.training.device import hash_of, number_format, prepare_device
from pfamformer.training.distributed import join_team
from pfamformer.training.heads import fit
from pfamformer.training.objectives import Outcome
from pfamformer.training.objectives.base import rows_at
from pfamformer.training.results import digest_of_ids, finish, save_trained, summary_of
from pfamformer.training.starts import Trained

#: Label of positions that are not residues.
IGNORED = -1


class Tagging:
    """Cross-entropy of every residue's kind, and of the family where it is inside a domain.

    Args:
        kinds: of the residues of every row, arrays of shape (L,).
        families: family number of the residues of every row, negative outside.
    """

    def __init__(self, kinds: Sequence[np.ndarray], families: Sequence[np.ndarray]) -> None:
        self.kinds, self.families = kinds, families

    def prepare(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Nothing to draw; every residue is a target."""
        return replace(batch, total=batch.residues)

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """Loss summed over residues; right are those whose kind and family are right."""
        device = next(model.parameters()).device
        kinds_BL = self._padded(self.kinds, batch)
        residue = kinds_BL != IGNORED
        tags = model.tags(rows_at(model.encoder(batch.inputs.to(device)), residue))
        kinds = kinds_BL[residue].to(device)
        families = self._padded(self.families, batch)[residue].to(device)
        inside = kinds != OUTSIDE
        loss = F.cross_entropy(tags.kinds.float(), kinds, reduction="sum") + F.cross_entropy(
            tags.families[inside].float(), families[inside], reduction="sum"
        )
        right = (tags.kinds.argmax(-1) == kinds) & (
            ~inside | (tags.families.argmax(-1) == families)
        )
        return Outcome(loss, torch.tensor(len(kinds)), right.sum())

    @staticmethod
    def _padded(values: Sequence[np.ndarray], batch: Batch) -> torch.Tensor:
        """Labels (B, L) at the positions of the batch's residues, behind ``<cls>``."""
        padded = np.full(tuple(batch.inputs.shape), IGNORED, dtype=np.int64)
        for i, row in enumerate(batch.rows):
            padded[i, 1 : len(values[row]) + 1] = values[row]
        return torch.from_numpy(padded)


class Rows:
    """The slices of one part of the localisation data set as a network reads them.

    Args:
        table: rows of the ``localisation`` table.
        domains: the ``localisation_domains`` table.
        numbers: family to class number; domains of other families are left unlabelled.
    """

    def __init__(self, table: pd.DataFrame, domains: pd.DataFrame, numbers: dict[str, int]) -> None:
        self.table = table.reset_index(drop=True)
        self.sequences = InMemory([encode(s) for s in self.table["sequence"]])
        by_slice = domains.groupby("id", sort=False).indices
        starts, ends = domains["start"].to_numpy(), domains["end"].to_numpy()
        family = domains["family"].map(numbers).fillna(-1).to_numpy(dtype=int)
        self.kinds: list[np.ndarray] = []
        self.families: list[np.ndarray] = []
        for name, first, length in zip(
            self.table["id"], self.table["start"], self.sequences.lengths, strict=True
        ):
            inside = [i for i in by_slice.get(name, ()) if family[i] >= 0]
            # Inner domains are shorter than their outer one: painted last, they stay.
            inside.sort(key=lambda i: starts[i] - ends[i])
            kinds = np.full(length, OUTSIDE, dtype=np.int8)
            families = np.full(length, -1, dtype=np.int32)
            for i in inside:
                a, b = starts[i] - first, ends[i] - first
                kinds[a : b + 1], families[a : b + 1] = MIDDLE, family[i]
                kinds[a], kinds[b] = FIRST, LAST
            self.kinds.append(kinds)
            self.families.append(families)

    def grammar(self) -> Grammar:
        """Chances of what follows what in these rows."""
        kinds = np.concatenate(self.kinds)
        return Grammar.from_domains(
            np.flatnonzero(kinds == FIRST), np.flatnonzero(kinds == LAST), len(kinds)
        )


def train_tagger(
    settings: TaggerSettings,
    start: Trained | None,
    table: pd.DataFrame,
    domains: pd.DataFrame,
    state_folder: Path,
    output: Path,
    threads: int,
    run: str,
    aligned: Sequence[AlignedFamily] | None = None,
) -> None:
    """Train a tagger; writes weights, ``calls`` on everything but training slices, and metrics.

    Args:
        start: what it starts from; None for an encoder of its own.
        table, domains: the tables ``localisation`` and ``localisation_domains``.
        run: name of this run, for the tables.
        aligned: training rows of the families, for the encoder ``chain``.
    """
    team, device = join_team(), prepare_device(threads)
    training = table[table["part"] == "train"]
    if aligned is not None:
        if team.leads:
            _fit_chains(settings, aligned, table, domains, output, threads, run, device)
        return
    families = sorted(domains[domains["id"].isin(training["id"])]["family"].unique())
    numbers = {family: number for number, family in enumerate(families)}
    rows = Rows(training, domains, numbers)
    torch.manual_seed(hash_of(settings.seed, -4))
    model = Tagger(start and start.settings.network, len(families), settings)
    log.info("%d slices, %d families", len(rows.table), len(families))
    started = time.monotonic()
    # Slices are as long as the data set made them: their labels must not be cut.
    metrics, state = fit(
        model, Tagging(rows.kinds, rows.families), rows.table["sequence"].tolist(), settings, start,
        state_folder, {"training slices": digest_of_ids(rows.table["id"])}, team, device,
        whole=True,
    )  # fmt: skip
    if not team.leads:
        return
    seconds = time.monotonic() - started
    grammar = rows.grammar()
    about = {"families": families, "grammar": vars(grammar)}
    save_trained(output, model, settings, start, about)
    _call(model, settings, table, families, grammar, output, run, device)
    summary = summary_of(model, settings, metrics, team, threads, seconds)
    finish(output, metrics, summary | {"families": len(families)}, state)


def _fit_chains(
    settings: TaggerSettings,
    aligned: Sequence[AlignedFamily],
    table: pd.DataFrame,
    domains: pd.DataFrame,
    output: Path,
    threads: int,
    run: str,
    device: torch.device,
) -> None:
    """A tagger of chained motifs: minutes without steps to save between."""
    started = time.monotonic()
    training = table[table["part"] == "train"]
    model, families, metrics = fit_chain_tagger(settings, aligned, training, domains, device)
    seconds = time.monotonic() - started
    about = {"families": families, "grammar": None, "windows": model.encoder.windows}
    save_trained(output, model, settings, None, about)
    _call(model, settings, table, families, None, output, run, device)
    write_table(metrics, "metrics", output / "metrics.tsv")
    summary = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        "processes": 1,
        "threads": threads,
        "precision": "float32",
        "steps": int(metrics["step"].iloc[-1]),
        "residues_read": int(metrics["tokens"].iloc[-1]),
        "seconds_of_last_start": round(seconds, 1),
        "families": len(families),
    }
    with atomic_path(output / "summary.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


def _call(
    model: Tagger | ChainTagger,
    settings: TaggerSettings,
    table: pd.DataFrame,
    families: Sequence[str],
    grammar: Grammar | None,
    output: Path,
    run: str,
    device: torch.device,
) -> None:
    """Write the calls on everything but training slices."""
    held_out = table[table["part"] != "train"].reset_index(drop=True)
    sequences = InMemory([encode(s) for s in held_out["sequence"]])
    found = calls(
        model,
        read_in_order(sequences, settings.tokens_per_batch, int(sequences.lengths.max())),
        held_out,
        families,
        grammar,
        run,
        number_format(settings.precision, device),
    )
    write_table(found, "calls", output / "calls.parquet")
