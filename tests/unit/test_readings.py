import numpy as np
import pytest
import torch

from pfamformer.analysis.readings import best_threshold, gradient_shares, paint, readings
from pfamformer.config import FinetuneSettings, NetworkSettings
from pfamformer.model.classifier import Classifier
from pfamformer.sequences.alphabet import encode
from pfamformer.training.batches import collate

NETWORK = NetworkSettings(layers=2, width=16, heads=2, feed_forward=32, dropout=0)


def classifier(head):
    settings = FinetuneSettings(
        kind="finetune", head=head, epochs=1, learning_rate=1e-3, tokens_per_batch=512,
        start_from="x",
    )  # fmt: skip
    torch.manual_seed(4)
    return Classifier(NETWORK, 5, settings).eval()


def tokens():
    return collate([encode("MKTAYIAKQRQISFVKSHFSRQ")], np.zeros(1, dtype=int)).tokens


def test_thresholds_equal_trying_all():
    stream = np.random.default_rng(0)
    for _ in range(50):
        scores = stream.integers(0, 6, 20).astype(float)
        inside = stream.random(20) < 0.5
        least = best_threshold(scores, inside)
        tried = [((scores >= t) == inside).sum() for t in [*set(scores), np.inf]]
        assert ((scores >= least) == inside).sum() == max(tried)


def test_gradient_equals_finite_differences():
    model = classifier("classic").double()
    found = gradient_shares(model, tokens()).numpy()
    weight = model.encoder.embedding.weight
    chosen = int(model(tokens())[0].argmax())
    slopes = []
    # Every position gets a token of its own, so that its embedding can be moved alone.
    own = torch.nn.Parameter(weight[tokens()[0]].detach().clone())
    for position in range(1, tokens().shape[1] - 1):
        slope = 0.0
        for dimension in range(weight.shape[1]):
            values = []
            for step in (1e-5, -1e-5):
                moved = own.detach().clone()
                moved[position, dimension] += step
                handle = model.encoder.embedding.register_forward_hook(
                    lambda m, i, o, moved=moved: moved.reshape(o.shape)
                )
                with torch.no_grad():
                    values.append(float(model(tokens()).softmax(-1)[0, chosen]))
                handle.remove()
            slope += (values[0] - values[1]) / 2e-5
        slopes.append(slope / weight.shape[1])
    expected = torch.tensor(slopes).softmax(0).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("head", "own"), [("classic", False), ("predeach_max", True), ("linattn", True)]
)
def test_every_head_allows_what_it_can_tell(head, own):
    model = classifier(head)
    found = readings(model, tokens())
    assert ("residue probabilities" in found) == own
    residues = tokens().shape[1] - 2
    assert all(values.shape == (residues,) for values in found.values())
    *_, last = model.encoder.attention_layers(tokens())
    mean = last[0, :, 0, 1:-1].mean(0) * residues
    np.testing.assert_allclose(found["attention, mean of heads"], mean.detach().numpy(), rtol=1e-5)
    assert found["gradient"].mean() == pytest.approx(1, rel=1e-5)


def test_domains_are_painted_inclusively():
    places = {"start": np.array([2, 6]), "end": np.array([3, 7])}
    assert np.flatnonzero(paint(8, places)).tolist() == [1, 2, 5, 6]
