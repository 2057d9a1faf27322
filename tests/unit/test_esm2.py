"""Agreement with the transformers library, in both directions."""

import json

import numpy as np
import pytest
import torch

from conftest import random_sequence, run_script
from pfamformer.config import NetworkSettings, PretrainSettings
from pfamformer.errors import InputError
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.model.esm2 import export_esm2, load_esm2, network_of
from pfamformer.sequences.alphabet import MASK, PAD, TOKENS, encode
from pfamformer.training.batches import collate
from pfamformer.training.pretraining import starting
from pfamformer.training.state import save_weights

transformers = pytest.importorskip("transformers")

SIZES = {
    "narrow": {"layers": 1, "width": 16, "heads": 2, "feed_forward": 24},
    "usual": {"layers": 3, "width": 48, "heads": 4, "feed_forward": 192},
    "one_head": {"layers": 2, "width": 40, "heads": 1, "feed_forward": 160},
}


def network(size, token_dropout=True):
    return NetworkSettings(**SIZES[size], token_dropout=token_dropout)


def theirs_of(size, token_dropout=True):
    """EsmForMaskedLM with random weights of a size where every part matters."""
    shape = SIZES[size]
    config = transformers.EsmConfig(
        vocab_size=len(TOKENS), pad_token_id=PAD, mask_token_id=MASK,
        num_hidden_layers=shape["layers"], hidden_size=shape["width"],
        num_attention_heads=shape["heads"], intermediate_size=shape["feed_forward"],
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, token_dropout=token_dropout,
        position_embedding_type="rotary", emb_layer_norm_before=False, layer_norm_eps=1e-5,
        attn_implementation="eager",
    )  # fmt: skip
    model = transformers.EsmForMaskedLM(config).eval()
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.25)
    return model


def tokens_of(stream, lengths):
    tokens = collate(
        [encode(random_sequence(stream, n)) for n in lengths], np.arange(len(lengths))
    ).tokens
    for row, n in enumerate(lengths):
        tokens[row, 1 + stream.choice(n, max(1, n // 6), replace=False)] = MASK
    return tokens


@pytest.mark.parametrize("token_dropout", [True, False])
@pytest.mark.parametrize("lengths", [(12, 12), (31, 9, 20)], ids=["not padded", "padded"])
@pytest.mark.parametrize("size", SIZES)
def test_loaded_weights_compute_the_same(tmp_path, stream, size, lengths, token_dropout):
    theirs = theirs_of(size, token_dropout)
    theirs.save_pretrained(tmp_path)
    ours = MaskedLanguageModel(network(size, token_dropout)).eval()
    load_esm2(ours, str(tmp_path))
    theirs, ours = theirs.double(), ours.double()
    tokens = tokens_of(stream, lengths)
    present = tokens != PAD
    expected = theirs(
        tokens, attention_mask=present.long(), output_attentions=True, output_hidden_states=True
    )
    close = {"rtol": 1e-5, "atol": 1e-6}  # their rotary angles are float32

    logits = ours.logits(ours.encoder(tokens))
    torch.testing.assert_close(logits[present], expected.logits[present], **close)

    layers = list(ours.encoder.attention_layers(tokens))
    assert len(layers) == len(expected.attentions) == SIZES[size]["layers"]
    for found, weights in zip(layers, expected.attentions, strict=True):
        rows = present[:, None, :, None].expand_as(found)
        torch.testing.assert_close(found[rows], weights[rows], **close)
        assert (found.masked_fill(present[:, None, None, :], 0) == 0).all()

    states = list(ours.encoder.hidden_states(tokens))
    assert len(states) == len(expected.hidden_states)
    for found, state in zip(states[:-1], expected.hidden_states[:-1], strict=True):
        torch.testing.assert_close(found[present], state[present], **close)

    truth = torch.randint(4, 24, tokens.shape, generator=torch.Generator().manual_seed(1))
    for model, values in ((ours, logits), (theirs, expected.logits)):
        torch.nn.functional.cross_entropy(values[present], truth[present]).backward()
        assert all(p.grad is not None for p in model.encoder.parameters()) if model is ours else 1
    gradients = {n: p.grad for n, p in theirs.named_parameters() if p.grad is not None}
    embedding = gradients["esm.embeddings.word_embeddings.weight"]
    torch.testing.assert_close(ours.encoder.embedding.weight.grad, embedding, **close)
    for layer, block in enumerate(ours.encoder.blocks):
        prefix = f"esm.encoder.layer.{layer}"
        qkv = [gradients[f"{prefix}.attention.self.{n}.weight"] for n in ("query", "key", "value")]
        found = block.attention.query_key_value.weight.grad
        torch.testing.assert_close(found, torch.cat(qkv), **close)
        found = block.feed_forward.contract.weight.grad
        torch.testing.assert_close(found, gradients[f"{prefix}.output.dense.weight"], **close)


@pytest.mark.parametrize("size", SIZES)
def test_exported_folder_opens_in_transformers(tmp_path, stream, size):
    torch.manual_seed(7)
    ours = MaskedLanguageModel(network(size)).eval()
    export_esm2(ours, tmp_path)
    theirs, info = transformers.EsmForMaskedLM.from_pretrained(tmp_path, output_loading_info=True)
    # Their contact regression is fitted after pretraining, ours has none; angles are computed.
    computed = ("contact_head", "inv_freq")
    assert {k for k in info["missing_keys"] if not any(c in k for c in computed)} == set()
    assert not info["unexpected_keys"]
    tokens = tokens_of(stream, (22, 8))
    present = tokens != PAD
    expected = theirs.eval()(tokens, attention_mask=present.long()).logits
    found = ours.logits(ours.encoder(tokens))
    torch.testing.assert_close(found[present], expected[present], rtol=1e-4, atol=1e-5)

    body = transformers.AutoModel.from_pretrained(tmp_path, add_pooling_layer=False).eval()
    expected = body(tokens, attention_mask=present.long()).last_hidden_state
    torch.testing.assert_close(
        ours.encoder(tokens)[present], expected[present], rtol=1e-4, atol=1e-5
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer("MKTAYXBUZO")["input_ids"] == [0, *encode("MKTAYXBUZO").tolist(), 2]


def settings_of(folder, size="usual", **changes):
    return PretrainSettings.model_validate(
        {
            "kind": "pretrain", "corpus": "uniparc", "network": network(size).model_dump(),
            "steps": 0, "tokens_per_batch": 512, "learning_rate": 1e-3, "esm2": str(folder),
        } | changes
    )  # fmt: skip


def test_a_run_starts_from_a_folder(tmp_path):
    theirs = theirs_of("usual")
    theirs.save_pretrained(tmp_path)
    model = starting(settings_of(tmp_path))
    expected = theirs.state_dict()["esm.embeddings.word_embeddings.weight"]
    torch.testing.assert_close(model.encoder.embedding.weight.detach(), expected)


def test_another_shape_names_the_keys(tmp_path):
    theirs_of("usual").save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"layers: 3, width: 48, heads: 4, feed_forward: 192"):
        starting(settings_of(tmp_path, size="one_head"))
    content = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps(content | {"position_embedding_type": "absolute"})
    )
    with pytest.raises(InputError, match="position_embedding_type is 'absolute'"):
        network_of(tmp_path)


def test_no_such_folder_is_one_clear_message(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="neither a folder nor within reach"):
        starting(settings_of(tmp_path / "absent"))


def test_export_script(tmp_path):
    settings = settings_of(tmp_path)
    model = MaskedLanguageModel(settings.network)
    save_weights(tmp_path / "weights.safetensors", model, {})
    (tmp_path / "config.json").write_text(json.dumps(settings.model_dump()))
    ended = run_script(
        "esm2_export", "--config", tmp_path / "config.json",
        "--weights", tmp_path / "weights.safetensors", "--output", tmp_path / "esm2",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert network_of(tmp_path / "esm2") == {
        **SIZES["usual"], "token_dropout": True,
    }  # fmt: skip
