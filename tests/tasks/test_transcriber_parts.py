"""What a transcriber is made of: networks that do not look at padding, batches, variations, metrics."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

from gatewise.data import Ragged
from gatewise.errors import DataError
from gatewise.tasks.transcription import calibration, confusions
from gatewise.tasks.transcription.augment import Augmentation
from gatewise.tasks.transcription.backbones import BACKBONES
from gatewise.tasks.transcription.examples import Examples, steps_needed
from gatewise.tasks.transcription.network import JoinedFrames
from gatewise.tasks.transcription.networks import Network, network_of
from gatewise.tasks.transcription.objective import run_network


def network(name: str, subsampling: int, look_ahead: int = 0) -> Network:
    torch.manual_seed(0)
    small = replace(BACKBONES[name], hidden_size=5)
    mean, scale = torch.linspace(-1, 1, 9), torch.linspace(0.5, 2, 9)
    return network_of(mean, scale, 4, small, subsampling=subsampling, look_ahead=look_ahead).eval()


def sequences(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, 9)).astype(np.float32) for length in lengths]


@pytest.mark.parametrize("subsampling", [1, 2, 4])
@pytest.mark.parametrize("name", list(BACKBONES))
def test_a_sequence_does_not_depend_on_its_batch(name: str, subsampling: int) -> None:
    net = network(name, subsampling, look_ahead=0)
    found = sequences(1, 13, 8, 29, 4)
    together = run_network(net, Examples(Ragged.from_arrays(found), tuple("abcde")))
    for frames, logits in zip(found, together, strict=True):
        (alone,) = run_network(net, Examples(Ragged.from_arrays([frames]), ("a",)))
        assert len(logits) == -(-len(frames) // subsampling)
        assert torch.allclose(alone, logits, atol=1e-5), (name, (alone - logits).abs().max())


@pytest.mark.parametrize("name", list(BACKBONES))
def test_what_lies_beyond_a_sequence_is_not_looked_at(name: str) -> None:
    net = network(name, 2).train()
    frames = torch.from_numpy(np.stack(sequences(12, 12), axis=1))
    lengths = torch.tensor([12, 7])
    first = net(frames, lengths)[0]
    first.square().sum().backward()
    before = {key: p.grad.clone() for key, p in net.named_parameters() if p.grad is not None}
    net.zero_grad()
    frames[7:, 1] = 1e6
    second = net(frames, lengths)[0]
    second.square().sum().backward()
    assert torch.equal(first[:, 0], second[:, 0])
    assert torch.equal(first[:4, 1], second[:4, 1])
    for key, p in net.named_parameters():
        assert p.grad is not None
        assert torch.equal(before[key], p.grad), key


def test_joined_frames_are_in_order() -> None:
    frames = torch.arange(1.0, 6.0)[:, None, None].expand(5, 1, 1)
    joined = JoinedFrames(1, 2, 1)(frames, torch.tensor([5]))
    assert joined[:, 0].tolist() == [[1, 2, 3], [3, 4, 5], [5, 0, 0]]


def test_joined_frames_keep_features_together() -> None:
    frames = torch.arange(8.0).view(4, 1, 2)
    assert JoinedFrames(2, 2, 0)(frames, torch.tensor([4]))[:, 0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


# ---------------------------------------------------------------------- lengths
@pytest.mark.parametrize(("labels", "needed"), [([], 0), ([1], 1), ([1, 1], 3), ([1, 2, 2, 2], 6)])
def test_equal_neighbours_need_a_blank(labels: list[int], needed: int) -> None:
    assert steps_needed(labels) == needed


# ---------------------------------------------------------------------- variations
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    frames = torch.zeros(40, 3, 16)
    frames[10:14, :, 4:12] = 1.0
    frames[30:34, 0, 4:12] = 1.0
    return frames, torch.tensor([40, 20, 30])


def test_images_are_rewritten_within_bounds() -> None:
    frames, lengths = batch()
    generator = torch.Generator().manual_seed(0)
    least = torch.tensor([40, 20, 2])
    widths = set()
    for _ in range(20):
        changed, new = Augmentation(True, 1.0).apply(frames, lengths, least, torch.zeros(16), torch.ones(16), generator)
        assert len(changed) == new.max()
        assert (new >= least).all()
        assert (changed >= 0).all()
        assert (changed <= 1).all()
        for b in range(3):
            assert (changed[new[b] :, b] == 0).all()
            ink, before = changed[:, b].sum(), frames[: lengths[b], b].sum()
            assert 0.5 * before < ink < 1.6 * before
        widths.add(int(new[2]))
    assert len(widths) > 3


def test_other_frames_are_blotted() -> None:
    frames, lengths = batch()
    mean, scale = torch.linspace(2, 3, 16), torch.full((16,), 0.01)
    changed, new = Augmentation(False, 2.0).apply(
        frames, lengths, lengths, mean, scale, torch.Generator().manual_seed(0)
    )
    assert torch.equal(new, lengths)
    assert (changed[20:, 1] == 0).all()
    hidden = changed[:20, 1] == mean
    # Whole frames, or the same features in all of them: at most 2 of 20, twice, and 5 of 16.
    assert 0 < hidden.sum() < 0.5 * hidden.numel()
    rows, columns = hidden.all(1), hidden.all(0)
    assert torch.equal(hidden, rows[:, None] | columns)
    assert (changed[:20, 1] - frames[:20, 1])[~hidden].abs().max() < 0.02


def test_no_strength_changes_nothing() -> None:
    frames, lengths = batch()
    for image in (True, False):
        same, new = Augmentation(image, 0.0).apply(
            frames, lengths, lengths, torch.zeros(16), torch.ones(16), torch.Generator()
        )
        assert same is frames
        assert new is lengths


def test_the_same_generator_gives_the_same_variation() -> None:
    frames, lengths = batch()
    one, two = (
        Augmentation(True, 1.0).apply(
            frames, lengths, lengths, torch.zeros(16), torch.ones(16), torch.Generator().manual_seed(5)
        )[0]
        for _ in range(2)
    )
    assert torch.equal(one, two)


# ---------------------------------------------------------------------- metrics
def test_confusions_are_those_of_scikit_learn_where_nothing_is_lost() -> None:
    rng = np.random.default_rng(0)
    said = ["".join(rng.choice(list("abc"), 1)) for _ in range(50)]
    read = ["".join(rng.choice(list("abc"), 1)) for _ in range(50)]
    found = confusions(said, read)
    table = confusion_matrix(said, read, labels=["a", "b", "c"])
    assert {key: found[key] for key in found} == {
        ("abc"[i], "abc"[j]): table[i, j] for i in range(3) for j in range(3) if table[i, j]
    }


def test_calibration_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(0)
    confidences, right = rng.uniform(size=200), rng.uniform(size=200) < 0.5
    found = calibration(confidences, right)
    expected = 0.0
    for low in np.arange(10) / 10:
        here = (confidences >= low) & (confidences < low + 0.1)
        expected += here.mean() * abs(confidences[here].mean() - right[here].mean())
    assert found.error == pytest.approx(expected, abs=1e-9)
    assert found.count.sum() == 200
    assert calibration(np.array([1.0]), np.array([True])).error == 0
    with pytest.raises(DataError, match="no confidences"):
        calibration(np.zeros(0), np.zeros(0, bool))
