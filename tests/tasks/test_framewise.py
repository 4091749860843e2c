"""Networks that name every frame."""

import numpy as np
import pytest
import torch

from gatewise.data import Ragged
from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.transcription.backbones import Backbone
from gatewise.tasks.transcription.framewise import (
    FramewiseObjective,
    LabelledFrames,
    frame_error_rate,
    scaled_log_likelihoods,
    train_framewise,
)
from gatewise.tasks.transcription.network import TranscriberNetwork
from gatewise.training import TrainingOptions


def data(lengths: tuple[int, ...] = (9, 4, 7, 5), seed: int = 0) -> LabelledFrames:
    """A frame's label: whether the frame before it is above 0, which a network has to remember."""
    rng = np.random.default_rng(seed)
    frames = [rng.normal(size=(length, 1)) for length in lengths]
    labels = tuple(np.concatenate([[0], x[:-1, 0] > 0]).astype(np.int64) for x in frames)
    return LabelledFrames(Ragged.from_arrays(frames), labels, tuple(f"s{k}" for k in range(len(lengths))))


def network(labels: int = 2, features: int = 1, subsampling: int = 1) -> TranscriberNetwork:
    torch.manual_seed(0)
    backbone = Backbone(8, 1, False, (), "")
    return TranscriberNetwork(
        torch.zeros(features), torch.ones(features), labels, backbone, subsampling=subsampling
    ).eval()


def test_error_and_loss_are_means_over_frames_not_over_sequences() -> None:
    some, net = data(), network()
    objective = FramewiseObjective(net, some, some, batch_size=4, noise=0.0, seed=0)
    (batch,) = objective.batches(1)
    wrong, nats, frames = 0, 0.0, 0
    for k, labels in enumerate(some.labels):
        logits, _ = net(torch.from_numpy(some.frames[k]).float()[:, None], torch.tensor([len(labels)]))
        log_probs = logits[:, 0].log_softmax(1)
        wrong += int((log_probs.argmax(1).numpy() != labels).sum())
        nats -= float(log_probs[range(len(labels)), labels].sum().detach())
        frames += len(labels)
    assert 0 < wrong < frames
    assert frame_error_rate(net, some) == wrong / frames
    assert objective.validate() == {"frame_error": wrong / frames}
    assert objective.loss(batch).item() == pytest.approx(nats / frames, rel=1e-5)
    assert objective.describe(batch).count("s") == 4


def test_it_learns_what_came_before() -> None:
    net = network()
    options = TrainingOptions(max_epochs=30, learning_rate=0.03)
    result = train_framewise(net, data((12,) * 40), data((12,) * 10, seed=1), options, batch_size=8)
    assert result.best_value < 0.05
    assert frame_error_rate(net, data((30,) * 10, seed=2)) < 0.1


def test_noise_changes_frames_alone_and_the_same_way_for_a_seed() -> None:
    some, net = data(), network()
    plain, noisy, again = (
        next(FramewiseObjective(net, some, None, batch_size=4, noise=noise, seed=3).batches(2))
        for noise in (0.0, 0.5, 0.5)
    )
    assert torch.equal(noisy.frames, again.frames)
    assert not torch.equal(noisy.frames, plain.frames)
    assert torch.equal(noisy.labels, plain.labels)


def test_likelihoods_are_posteriors_over_priors() -> None:
    logits, counts = torch.randn(5, 3, dtype=torch.float64), torch.tensor([2.0, 1.0, 7.0])
    likelihoods = scaled_log_likelihoods(logits, counts).exp() * (counts / 10)
    torch.testing.assert_close(likelihoods, logits.softmax(1))
    with pytest.raises(DataError, match="the labels 1 are not in the training data"):
        scaled_log_likelihoods(logits, torch.tensor([2.0, 0.0, 7.0]))
    with pytest.raises(DataError, match="a count for each of 3 labels, got"):
        scaled_log_likelihoods(logits, counts[:2])


def test_what_does_not_fit_is_refused() -> None:
    options = TrainingOptions(max_epochs=1)
    some = data()
    with pytest.raises(ConfigurationError, match="makes one step of 2 frames"):
        train_framewise(network(subsampling=2), some, None, options)
    with pytest.raises(ConfigurationError, match="has 1 labels, the data have the label 1"):
        train_framewise(network(1), some, None, options)
    with pytest.raises(DataError, match="frames have 1 features, those of the network 2"):
        train_framewise(network(features=2), some, None, options)
    with pytest.raises(DataError, match="s1: expected a label for each of its 4 frames"):
        LabelledFrames(some.frames, (some.labels[0], *some.labels[2:], some.labels[3]), some.names)
    with pytest.raises(DataError, match="s0: frame 3 has the label -1"):
        LabelledFrames(some.frames, (np.array([0, 0, 0, -1, 0, 0, 0, 0, 0]), *some.labels[1:]), some.names)
    with pytest.raises(DataError, match="a name for each of 4 sequences, got 3 and 4"):
        LabelledFrames(some.frames, some.labels[1:], some.names)
