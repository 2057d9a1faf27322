"""ESM-2 weights in and out, in the folder format of the ``transformers`` library.

Source: Lin et al., Science 379 (2023). A folder holds ``config.json``, ``model.safetensors`` (or
``pytorch_model.bin``) and the vocabulary. ``transformers`` itself is not needed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pfamformer.command import atomic_path, log
from pfamformer.config import NetworkSettings
from pfamformer.errors import InputError
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.sequences.alphabet import MASK, PAD, TOKENS

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
#: Our module → theirs, inside a layer.
_IN_LAYER = {
    "attention_norm": "attention.LayerNorm",
    "attention.output": "attention.output.dense",
    "feed_forward_norm": "LayerNorm",
    "feed_forward.expand": "intermediate.dense",
    "feed_forward.contract": "output.dense",
}
#: Our tensor → theirs, outside the layers.
_OUTSIDE = {
    "encoder.embedding.weight": "esm.embeddings.word_embeddings.weight",
    "encoder.norm.weight": "esm.encoder.emb_layer_norm_after.weight",
    "encoder.norm.bias": "esm.encoder.emb_layer_norm_after.bias",
    "transform.weight": "lm_head.dense.weight",
    "transform.bias": "lm_head.dense.bias",
    "norm.weight": "lm_head.layer_norm.weight",
    "norm.bias": "lm_head.layer_norm.bias",
    "bias": "lm_head.bias",
}
# torch's LayerNorm, and that of every published ESM-2 checkpoint.
_LAYER_NORM_EPS = 1e-5


def local_folder(source: str) -> Path:
    """The folder itself, or the downloaded copy of a hub id such as ``owner/name``.

    Raises:
        InputError: there is no such folder, and nothing of that name on the hub within reach.
    """
    if Path(source).is_dir():
        return Path(source)
    remedy = (
        "Give a folder with config.json and model.safetensors, or the hub id of an ESM-2 "
        "(then pip install huggingface_hub, and let this machine reach the hub once)"
    )
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(source, allow_patterns=["config.json", *_WEIGHTS]))
    except Exception as error:  # the hub client has a dozen unrelated exception classes
        log.debug("%s", error)
        raise InputError(
            source, f"neither a folder nor within reach on the hub ({error})", remedy=remedy
        ) from error


def weight_files(source: str) -> list[Path]:
    """The files that are read of a local folder; none for a hub id."""
    return [path for name in ("config.json", *_WEIGHTS) if (path := Path(source) / name).exists()]


def network_of(folder: Path) -> dict[str, Any]:
    """The network settings that ``config.json`` describes.

    Raises:
        InputError: it is no ESM-2, or one that our encoder does not compute exactly.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(path, f"not readable ({error})") from error
    expected = {
        "model_type": "esm",
        "position_embedding_type": "rotary",
        "vocab_size": len(TOKENS),
        "emb_layer_norm_before": False,
        "layer_norm_eps": _LAYER_NORM_EPS,
    }
    for key, value in expected.items():
        # Only these differ between ESM-2 and the older ESM-1; a missing flag means no norm.
        if (config.get(key) or False) != value:
            raise InputError(
                path, f"{key} is {config.get(key)!r}, not {value!r}", remedy="Only ESM-2 is read"
            )
    return {
        "layers": config["num_hidden_layers"],
        "width": config["hidden_size"],
        "heads": config["num_attention_heads"],
        "feed_forward": config["intermediate_size"],
        "token_dropout": bool(config.get("token_dropout")),
    }


def load_esm2(model: MaskedLanguageModel, source: str) -> None:
    """Put ESM-2's weights into a model of the same shape.

    Args:
        source: a folder in the ``transformers`` format, or a hub id.

    Raises:
        InputError: the shape differs (every key that does is named), or a tensor is missing.
    """
    folder = local_folder(source)
    network = network_of(folder)
    ours = {key: getattr(model.encoder.network, key) for key in network}
    wrong = [f"{key}: {network[key]}" for key in network if ours[key] != network[key]]
    if wrong:
        raise InputError(
            folder / "config.json",
            f"another shape than the run's network (its own are {', '.join(wrong)})",
            remedy="Set these keys of the run's network",
        )
    theirs = _read_weights(folder)
    found: dict[str, Tensor] = {}
    for name in model.state_dict():
        try:
            parts = [theirs[other] for other in _theirs(name)]
        except KeyError as error:
            raise InputError(folder, f"no tensor {error}") from error
        found[name] = torch.cat(parts).float()
    model.load_state_dict(found)


def export_esm2(model: MaskedLanguageModel, folder: Path) -> None:
    """Write a folder that ``transformers.AutoModel`` and ``EsmForMaskedLM`` open.

    Raises:
        InputError: the network has parts that ESM-2 lacks.
    """
    network = model.encoder.network
    plain = NetworkSettings(
        layers=network.layers, width=network.width, heads=network.heads,
        feed_forward=network.feed_forward, dropout=network.dropout,
        token_dropout=network.token_dropout,
    )  # fmt: skip
    other = [key for key, value in network.model_dump().items() if getattr(plain, key) != value]
    if other:
        raise InputError("network", f"ESM-2 has no such {', '.join(other)}: no export")
    tensors: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        names = _theirs(name)
        for other_name, part in zip(names, tensor.detach().cpu().chunk(len(names)), strict=True):
            tensors[other_name] = part.contiguous().clone()
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
    files = {
        "config.json": json.dumps(_config(network), indent=1),
        "vocab.txt": "\n".join(TOKENS),
        "tokenizer_config.json": json.dumps({"tokenizer_class": "EsmTokenizer"}, indent=1),
    }
    for name, text in files.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")


def _theirs(name: str) -> list[str]:
    """Their tensors, in order, that one of ours is the concatenation of."""
    if name in _OUTSIDE:
        return [_OUTSIDE[name]]
    _, _, layer, inner = name.split(".", 3)
    module, kind = inner.rsplit(".", 1)
    prefix = f"esm.encoder.layer.{layer}"
    if module == "attention.query_key_value":
        return [f"{prefix}.attention.self.{part}.{kind}" for part in ("query", "key", "value")]
    return [f"{prefix}.{_IN_LAYER[module]}.{kind}"]


def _read_weights(folder: Path) -> dict[str, Tensor]:
    for name in _WEIGHTS:
        path = folder / name
        if path.exists():
            break
    else:
        raise InputError(folder, f"holds none of {', '.join(_WEIGHTS)}")
    if path.suffix == ".safetensors":
        tensors = load_file(path)
    else:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    # Some versions of transformers write the parameters of LayerNorm under their old names.
    return {
        name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
            "LayerNorm.beta", "LayerNorm.bias"
        ): tensor
        for name, tensor in tensors.items()
    }


def _config(network: NetworkSettings) -> dict[str, Any]:
    return {
        "architectures": ["EsmForMaskedLM"],
        "model_type": "esm",
        "vocab_size": len(TOKENS),
        "pad_token_id": PAD,
        "mask_token_id": MASK,
        "num_hidden_layers": network.layers,
        "hidden_size": network.width,
        "num_attention_heads": network.heads,
        "intermediate_size": network.feed_forward,
        "hidden_dropout_prob": network.dropout,
        "attention_probs_dropout_prob": 0.0,
        "hidden_act": "gelu",
        "position_embedding_type": "rotary",
        "token_dropout": network.token_dropout,
        "emb_layer_norm_before": False,
        "layer_norm_eps": _LAYER_NORM_EPS,
        "initializer_range": 0.02,
        "max_position_embeddings": 1026,
        "is_folding_model": False,
        "vocab_list": None,
        "tie_word_embeddings": True,
    }
