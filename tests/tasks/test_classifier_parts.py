"""The classifier's parts: the network does not see padding, augmentation keeps gaps, splits hold out what they say."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gatewise.data import Ragged
from gatewise.errors import TrainingError
from gatewise.tasks import Classifier
from gatewise.tasks.classification.committee import default_epochs, train_committee
from gatewise.tasks.classification.inputs import Preparation
from gatewise.tasks.classification.network import ClassifierNetwork
from gatewise.tasks.classification.objective import Augmentation, ClassifyObjective, run_network
from gatewise.tasks.classification.parameters import member_options
from gatewise.tasks.classification.split import validation_parts
from gatewise.training import Interrupt, Journal, TrainingOptions, train


def network(masked: bool = False, classes: int = 3, channels: int = 2) -> ClassifierNetwork:
    torch.manual_seed(0)
    return ClassifierNetwork(
        channels,
        classes,
        difference_scale=torch.full((channels,), 2.0),
        masked=masked,
        hidden_size=4,
        num_layers=2,
        bidirectional=True,
        dropout=0.2,
    ).eval()


@pytest.mark.parametrize("masked", [False, True])
def test_the_network_does_not_see_padding(masked: bool) -> None:
    net = network(masked)
    torch.manual_seed(1)
    x = torch.randn(7, 3, 4 if masked else 2)
    lengths = torch.tensor([7, 1, 4])
    x.requires_grad_()
    logits = net(x, lengths)
    logits.square().sum().backward()
    assert x.grad is not None
    for number, length in enumerate(lengths.tolist()):
        alone = net(x[:length, number : number + 1], lengths[number : number + 1])
        torch.testing.assert_close(logits[number], alone[0])
        assert not x.grad[length:, number].any()
        assert x.grad[:length, number].any()


def test_differences_are_scaled_and_leave_gaps_out() -> None:
    values = torch.tensor([1.0, 3.0, 0.0, 7.0, 8.0])
    mask = torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0])
    net = network(masked=True, channels=1)
    features = net.features(torch.stack([values, mask], 1)[:, None])[:, 0]
    assert features[:, 0].tolist() == values.tolist()
    assert features[:, 1].tolist() == [0.0, 1.0, 0.0, 0.0, 0.5]
    assert features[:, 2].tolist() == mask.tolist()


def test_preparation_scales_by_the_training_part_and_masks() -> None:
    sequences = Ragged.from_arrays([[[0.0], [2.0], [4.0]], [[8.0], [np.nan]], [[1000.0], [2000.0]]])
    preparation = Preparation.fit(sequences, np.array([0, 1]))
    assert preparation.scaler.mean.tolist() == [3.5]
    scale = preparation.scaler.scale[0]
    # Within the sequences alone: twice 2, without spread; the step from 4 to 8 is none of a sequence.
    assert preparation.difference_scale.tolist() == [1.0]
    inputs = preparation.apply(sequences)
    assert inputs.values.dtype == np.float32
    np.testing.assert_allclose(inputs.values[:4, 0] * scale + 3.5, [0, 2, 4, 8], atol=1e-6)
    assert inputs.values[:, 1].tolist() == [1, 1, 1, 1, 0, 1, 1]
    assert inputs.values[4, 0] == 0


def test_augmentation_changes_sequences_as_stated_and_keeps_gaps() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 200, 4, generator=generator)
    assert torch.equal(Augmentation(0.0, 0.0, 0.0).apply(x, generator), x)
    noise = Augmentation(0.0, 0.0, 0.5).apply(x, generator) - x
    assert noise.std().item() == pytest.approx(0.5, rel=0.02)
    ratio = Augmentation(0.0, 0.3, 0.0).apply(x, generator) / x
    assert ratio[:, :, 0].std(0).max() < 1e-4  # one factor a sequence
    assert ratio[0, :, 0].log().std().item() == pytest.approx(0.3, rel=0.15)
    mixed = Augmentation(0.4, 0.0, 0.0).apply(x, generator)
    matrices = torch.linalg.lstsq(x.transpose(0, 1), mixed.transpose(0, 1)).solution
    assert (matrices - torch.eye(4)).std().item() == pytest.approx(0.4 / 2, rel=0.05)

    sequences = Ragged.from_arrays([np.array([[1.0], [np.nan], [2.0]]), np.array([[3.0], [4.0]])])
    preparation = Preparation.fit(sequences, np.array([0, 1]))
    batch = next(objective(sequences, preparation, network(masked=True, channels=1)).batches(1))
    assert (batch.x[..., 1] == 0).sum() == 2  # the gap and the padding
    assert not batch.x[..., 0][batch.x[..., 1] == 0].any()


def objective(sequences: Ragged, preparation: Preparation, net: ClassifierNetwork, seed: int = 0) -> ClassifyObjective:
    return ClassifyObjective(
        net,
        preparation.apply(sequences),
        np.arange(len(sequences)) % 3,
        training=np.arange(len(sequences)),
        validation=np.zeros(0, np.int64),
        mask_channels=preparation.n_channels if preparation.masked else 0,
        augmentation=Augmentation(0.1, 0.1, 0.1),
        class_weight=None,
        label_smoothing=0.0,
        batch_size=4,
        batch_frames=None,
        seed=seed,
    )


def test_batches_come_from_seed_and_epoch_alone() -> None:
    rng = np.random.default_rng(0)
    sequences = Ragged.from_arrays([rng.normal(size=(n, 2)) for n in rng.integers(1, 9, 10)])
    preparation = Preparation.fit(sequences, np.arange(10))

    def draw(seed: int, epoch: int) -> tuple[list[int], Tensor]:
        batches = list(objective(sequences, preparation, network(), seed).batches(epoch))
        assert len(batches) == objective(sequences, preparation, network(), seed).batches_per_epoch == 3
        return [int(i) for batch in batches for i in batch.indices], torch.cat([b.x.flatten() for b in batches])

    order, values = draw(0, 1)
    assert sorted(order) == list(range(10))
    again = draw(0, 1)
    assert again[0] == order
    assert torch.equal(again[1], values)
    assert draw(0, 2)[0] != order
    assert draw(1, 1)[0] != order
    made = objective(sequences, preparation, network())
    described = made.describe(next(made.batches(1)))
    assert described == f"sequences {', '.join(map(str, order[:4]))} (counted from 0)"


def test_a_sequence_that_is_not_finite_is_named_with_the_layer_it_spoils() -> None:
    rng = np.random.default_rng(0)
    sequences = Ragged.from_arrays([rng.normal(size=(6, 2)) for _ in range(10)])
    preparation = Preparation.fit(sequences, np.arange(10))
    made = objective(sequences, preparation, network())
    made._inputs.values[7 * 6 + 2] = np.inf  # past all checks of what is read
    message = (
        r"epoch 1, step \d: the loss is nan, in batch: sequences 7 \(counted from 0\)\. "
        r'What layer "lstm" \(LSTM\) was given is not finite\. The step was not taken'
    )
    with pytest.raises(TrainingError, match=message):
        train(made, TrainingOptions(max_epochs=1), progress=False)


def test_running_in_parts_gives_each_sequence_its_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    sequences = Ragged.from_arrays([rng.normal(size=(n, 2)).astype(np.float32) for n in rng.integers(1, 30, 40)])
    whole = run_network(network(), sequences)
    monkeypatch.setattr("gatewise.tasks.classification.objective.PREDICTION_BATCH", 7)
    monkeypatch.setattr("gatewise.tasks.classification.objective.PREDICTION_STEPS", 64)
    torch.testing.assert_close(run_network(network(), sequences), whole)


def test_members_hold_out_different_sequences_of_every_class() -> None:
    targets = np.repeat([0, 1, 2], [20, 40, 60])
    parts, why = validation_parts(targets, None, share=0.25, members=4, seed=0)
    assert why is None
    assert [np.bincount(targets[part]).tolist() for part in parts] == [[5, 10, 15]] * 4
    assert sorted(np.concatenate(parts)) == list(range(120))
    other = validation_parts(targets, None, share=0.25, members=1, seed=1)[0][0]
    assert not np.array_equal(other, parts[0])


def test_groups_are_held_out_whole_and_leave_every_class() -> None:
    groups = np.repeat(np.arange(6), 4)
    targets = np.where(groups == 2, 1, 0)  # the only group of class 1 must stay
    parts, why = validation_parts(targets, groups, share=0.3, members=6, seed=0)
    assert why is None
    for part in parts:
        held = set(groups[part])
        assert len(held) == 2
        assert 2 not in held
        assert len(part) == 8


@pytest.mark.parametrize(
    ("targets", "groups", "share", "why"),
    [
        ([0, 0, 0, 0, 1, 1, 1], None, 0.2, "a class has 3 sequences"),
        ([0, 1] * 4, [0, 0, 1, 1, 2, 2, 2, 2], 0.2, "there are 3 groups"),
        ([0, 1, 2, 3], [0, 1, 2, 3], 0.2, "takes all sequences of a class"),
        ([0, 1] * 4, None, 0.0, "validation=0"),
    ],
)
def test_without_a_sensible_part_it_says_why(
    targets: list[int], groups: list[int] | None, share: float, why: str
) -> None:
    given = None if groups is None else np.array(groups)
    parts, reason = validation_parts(np.array(targets), given, share=share, members=2, seed=0)
    assert [len(part) for part in parts] == [0, 0]
    assert reason is not None
    assert why in reason


def test_small_sets_get_more_epochs() -> None:
    assert [default_epochs(batches) for batches in (1, 10, 20, 100, 101, 10_000)] == [200, 200, 100, 20, 20, 20]


def test_members_share_the_time_and_each_comes_to_the_end_of_its_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    now, loss = [0.0], ClassifyObjective.loss

    def slow(self: ClassifyObjective, batch: Any) -> Tensor:
        now[0] += 1.0
        return loss(self, batch)

    monkeypatch.setattr(ClassifyObjective, "loss", slow)
    rng = np.random.default_rng(0)
    sequences = Ragged.from_arrays([rng.normal(size=(5, 1)) for _ in range(32)])
    targets = np.arange(32) % 2
    parts, _ = validation_parts(targets, None, share=0.25, members=3, seed=0)
    with Interrupt() as interrupt:
        committee = train_committee(
            sequences, targets, parts, member_options(Classifier(4, max_epochs=5_000, patience=None)),
            class_weight=None, max_minutes=4.0, seed=0, start=None, progress=False,
            journal=Journal(interrupt, lambda: now[0]),
        )  # fmt: skip
    assert [run["stopped"] for run in committee.history] == ["max_minutes"] * 3
    assert committee.shortened() == 3
    # 240 seconds, one a loss: those of validation are among them, and an epoch is cut where the time is up.
    assert now[0] == pytest.approx(240, abs=6)
    epochs = [len(run["epochs"]) for run in committee.history]
    assert max(epochs) - min(epochs) <= 2
    for run in committee.history:
        rates = [row["learning_rate"] for row in run["epochs"]]
        assert rates[-1] < 0.01 * max(rates)
        falling = rates[int(np.argmax(rates)) :]
        assert falling == sorted(falling, reverse=True)
