"""The peer of train_throughput.py: transformers' ESM-2 with random weights in a bare loop."""

from __future__ import annotations

import ctypes

import torch
import transformers
from torch import Tensor

from pfamformer.config import NetworkSettings
from pfamformer.sequences.alphabet import MASK, PAD, TOKENS
from pfamformer.training.batches import Batch
from pfamformer.training.objectives import MaskedLanguageModelling

# glibc's mallopt as it is once large blocks have been freed: keep 64 MB, fetch 128 kB at a time,
# map blocks from 32 MB on. Only our engine asks for more.
MALLOC = {-1: 64 << 20, -2: 128 << 10, -3: 32 << 20}
IGNORED = -100  # their label of positions without a target


def esm2_config(network: NetworkSettings, **more: object) -> transformers.EsmConfig:
    """ESM-2's configuration at a shape; SDPA is its default attention."""
    return transformers.EsmConfig(
        vocab_size=len(TOKENS), pad_token_id=PAD, mask_token_id=MASK,
        num_hidden_layers=network.layers, hidden_size=network.width,
        num_attention_heads=network.heads, intermediate_size=network.feed_forward,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        position_embedding_type="rotary", emb_layer_norm_before=False, layer_norm_eps=1e-5,
        attn_implementation="sdpa", **more,
    )  # fmt: skip


class Peer:
    """One of their models and what it is trained for.

    Args:
        task: "pretraining", "fine-tuning" or "inference".
        masked: draws targets as our side does.
        labels: class of every row, for fine-tuning.
    """

    def __init__(
        self, network: NetworkSettings, task: str, classes: int, masked: MaskedLanguageModelling,
        labels: Tensor | None, device: str = "cpu",
    ) -> None:  # fmt: skip
        self.task, self.masked, self.labels, self.device = task, masked, labels, device
        with torch.device(device):
            if task == "fine-tuning":
                config = esm2_config(network, num_labels=classes)
                self.model = transformers.EsmForSequenceClassification(config)
            elif task == "pretraining":
                self.model = transformers.EsmForMaskedLM(esm2_config(network))
            else:
                config = esm2_config(network)
                self.model = transformers.EsmModel(config, add_pooling_layer=False)
        self.model.to(device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, fused=True)

    def run(self, batches: list[Batch], dtype: torch.dtype) -> None:
        """One pass over the batches, with memory handled as by default."""
        for parameter, value in MALLOC.items():
            getattr(ctypes.CDLL(None), "mallopt", lambda *_: 0)(parameter, value)
        stream = torch.Generator().manual_seed(1)
        for batch in batches:
            self.step(self.prepare(batch, stream), dtype)

    def prepare(self, batch: Batch, stream: torch.Generator) -> dict[str, Tensor]:
        """What their collator makes of a batch, on the device."""
        inputs, labels = batch.tokens, None
        if self.task == "pretraining":
            inputs, targets = self.masked.corrupt(batch.tokens, stream)
            labels = torch.where(targets, batch.tokens, IGNORED)
        elif self.task == "fine-tuning":
            labels = self.labels[torch.from_numpy(batch.rows)]
        found = {"input_ids": inputs, "attention_mask": (batch.tokens != PAD).long()}
        if labels is not None:
            found["labels"] = labels
        return {name: value.to(self.device, non_blocking=True) for name, value in found.items()}

    def step(self, given: dict[str, Tensor], dtype: torch.dtype) -> None:
        """One step of training, or one forward pass."""
        learns = self.task != "inference"
        self.model.train(learns)
        context = torch.autocast(self.device, dtype, enabled=dtype != torch.float32)
        with torch.set_grad_enabled(learns), context:
            out = self.model(**given)
        if learns:
            out.loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
