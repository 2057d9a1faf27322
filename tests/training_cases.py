"""Small runs that the tests of training share.

``python tests/training_cases.py`` writes the golden losses anew: after a change that is meant to
alter them, and only then.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "workflow/scripts")]

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import nn

from conftest import random_sequence
from pfamformer.config import (
    FinetuneSettings,
    NetworkSettings,
    PretrainSettings,
    TaggerSettings,
    TaskRunSettings,
    TermsSettings,
    TrainingSettings,
)
from pfamformer.model.classifier import Classifier
from pfamformer.model.encoder import MaskedLanguageModel, TokenHead
from pfamformer.model.residues import ResidueClassifier
from pfamformer.model.tagger import Tagger
from pfamformer.model.terms import TermClassifier
from pfamformer.sequences.alphabet import encode
from pfamformer.tasks.term_targets import Conditions
from pfamformer.training.batches import BatchPlan, InMemory
from pfamformer.training.loop import train
from pfamformer.training.objectives import (
    AgainstFew,
    Classification,
    Distillation,
    MaskedLanguageModelling,
    ReplacedTokens,
    SeveralLabels,
    TaughtClassification,
    TokenRegulariser,
    WithRegulariser,
)
from pfamformer.training.objectives.labels import States, Values
from pfamformer.training.objectives.terms import Terms
from pfamformer.training.optimizers import make_optimizer
from pfamformer.training.pretraining import objective_of
from pfamformer.training.starts import untrained
from pfamformer.training.state import StateFolder
from pfamformer.training.tagging import Tagging

GOLDEN = Path(__file__).parent / "data" / "golden_losses.json"
NETWORK = NetworkSettings(layers=2, width=32, heads=2, feed_forward=64)
PRETRAINING = ("masked", "inverse", "span", "replaced", "autoregressive", "permutation",
               "distillation")  # fmt: skip
LABELLED = ("states", "values", "terms", "tagging")
FINETUNING = ("classification", "taught", "regulariser", "several", "few", *LABELLED)


def pretraining(**changes) -> PretrainSettings:
    settings = {
        "kind": "pretrain", "corpus": "uniparc", "network": NETWORK, "steps": 12,
        "tokens_per_batch": 512, "learning_rate": 1e-3, "precision": "float32", "log_every": 1,
        "validate_every": 5,
    }  # fmt: skip
    return PretrainSettings.model_validate(settings | changes)


def common(**more) -> dict[str, object]:
    """Settings of any run that learns a task."""
    return {
        "start_from": "x", "epochs": 1, "tokens_per_batch": 512, "learning_rate": 3e-3,
        "precision": "float32", "log_every": 1,
    } | more  # fmt: skip


def finetuning(**changes) -> FinetuneSettings:
    settings = common(kind="finetune", head="classic")
    return FinetuneSettings.model_validate(settings | changes)


def proteins(count: int = 60, seed: int = 20260) -> InMemory:
    stream = np.random.default_rng(seed)
    lengths = stream.integers(5, 90, count)
    return InMemory([encode(random_sequence(stream, int(n))) for n in lengths])


def pretraining_case(name: str) -> tuple[PretrainSettings, MaskedLanguageModel, object]:
    """Settings, model and objective by the name of an objective."""
    if name == "inverse":
        settings = pretraining(draw="inverse_frequency", loss_weights="inverse_frequency")
    else:
        teacher = "other" if name == "distillation" else None
        settings = pretraining(objective=name, teacher=teacher)
    counts = np.zeros(33, dtype=np.int64)
    counts[4:24] = np.arange(1, 21)
    model = untrained(settings)
    if name == "distillation":
        torch.manual_seed(77)
        teacher = MaskedLanguageModel(NETWORK)
        objective = Distillation(MaskedLanguageModelling(0.15, 0.8, 0.1), teacher, 2.0)
    else:
        objective = objective_of(settings, counts)
    if isinstance(objective, ReplacedTokens):
        objective.equip(model)
    return settings, model, objective


def finetuning_case(name: str) -> tuple[FinetuneSettings, Classifier, object]:
    """The same for fine-tuning."""
    several, rows = name == "several", 60
    if name == "few":
        settings = finetuning(head="chain", encoder={"kind": "chain"})
        torch.manual_seed(5)
        model = Classifier(None, 6, settings, windows=[1, 2, 3, 1, 2, 3])
        # The true class and three others.
        return settings, model, AgainstFew((torch.arange(rows)[:, None] + torch.arange(4)) % 6)
    settings = finetuning(layer_weights=several)
    torch.manual_seed(5)
    model = Classifier(NETWORK, 6, settings, {"clan": 3} if several else {})
    labels = {"head": torch.arange(rows) % 6, "clan": torch.arange(rows) % 4 - 1}
    if several:
        return settings, model, SeveralLabels(labels, {"head": 1.0, "clan": 0.5})
    task = Classification(labels["head"])
    if name == "taught":
        classes = torch.stack([labels["head"], (labels["head"] + 2) % 6], 1)
        shares = torch.tensor([0.8, 0.2]).expand(rows, 2)
        return settings, model, TaughtClassification(labels["head"], classes, shares, 2.0)
    if name == "regulariser":
        model.auxiliary["tokens"] = TokenHead(NETWORK)
        task = WithRegulariser(task, TokenRegulariser(0.15, 0.8, 0.1), 0.5)
    return settings, model, task


def labelled_case(name: str) -> tuple[TrainingSettings, nn.Module, object]:
    """The same for what is not one class per sequence."""
    rows, stream = proteins(), np.random.default_rng(6)
    torch.manual_seed(5)
    if name == "tagging":
        settings = TaggerSettings.model_validate(common(kind="tagger"))
        families = [stream.integers(-1, 4, n) for n in rows.lengths]
        kinds = [np.where(f < 0, 0, 1 + f % 3) for f in families]
        return settings, Tagger(NETWORK, 4, settings), Tagging(kinds, families)
    if name == "terms":
        settings = TermsSettings.model_validate(common(kind="terms", head="classic"))
        # A chain of three terms and one beside it; the last column is the whole ontology.
        conditions = Conditions(tuple("abcd"), np.array([(0, 1), (1, 2), (2, 4), (3, 4)]))
        truth = (stream.random((len(rows), 1)) < [0.2, 0.4, 0.7, 0.5, 1.0]).astype(np.float32)
        model = TermClassifier(NETWORK, torch.tensor([-1.0, -0.5, 0.5, 0.0]), settings)
        return settings, model, Terms(csr_matrix(truth), conditions)
    settings = TaskRunSettings.model_validate(common(kind="task", task="x", head="classic"))
    if name == "values":
        values = torch.from_numpy(stream.normal(size=len(rows)))
        return settings, Classifier(NETWORK, 1, settings), Values(values)
    states = [stream.integers(-1, 3, n) for n in rows.lengths]
    return settings, ResidueClassifier(NETWORK, 3, settings), States(states)


def case(name: str):
    if name in LABELLED:
        return labelled_case(name)
    return pretraining_case(name) if name in PRETRAINING else finetuning_case(name)


def run(settings, model, objective, sequences, folder, steps=12, longest=64, **options):
    """Train; the state lies in ``folder``."""
    return train(
        model, objective, sequences, settings, steps=steps,
        plan=BatchPlan(sequences.lengths, settings.tokens_per_batch, longest, settings.seed),
        optimizer=make_optimizer([(model, 1.0)], settings),
        state=StateFolder(folder, {"run": settings.model_dump()}), **options,
    )  # fmt: skip


def curve(name: str, folder) -> list[float]:
    """Training losses of an objective's first steps."""
    # Labels of residues are those of whole sequences.
    longest = 100 if name in LABELLED else 64
    return run(*case(name), proteins(), folder, steps=8, longest=longest).table()["loss"].tolist()


def main() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        curves = {
            name: [round(x, 6) for x in curve(name, Path(folder) / name)]
            for name in (*PRETRAINING, *FINETUNING)
        }
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(curves, indent=1) + "\n")


if __name__ == "__main__":
    main()
