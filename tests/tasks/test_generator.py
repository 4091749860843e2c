"""The generator learns, scores, writes, keeps and refuses."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from tests.tasks.generating import pieces, texts

from gatewise import cells
from gatewise.errors import CellError, ConfigurationError, DataError, ModelFolderError
from gatewise.tasks import Generator, load
from gatewise.tasks.generation import read_events
from gatewise.tasks.generation.frames import FrameEvents
from gatewise.tasks.generation.network import GeneratorNetwork
from gatewise.tasks.generation.sampling import Sampler
from gatewise.tasks.generation.scoring import event_loss, label_loss

SMALL: dict[str, Any] = {
    "hidden_size": 24, "streams": 4, "chunk": 20, "learning_rate": 0.01, "max_epochs": 12, "threads": 1, "dropout": 0.1,
}  # fmt: skip
MUSIC: dict[str, Any] = {**SMALL, "chunk": 10, "max_epochs": 30, "joint_units": 0}


@pytest.fixture(scope="module")
def writer() -> Generator:
    return Generator(**SMALL).fit(texts(40))


@pytest.fixture(scope="module")
def player() -> Generator:
    return Generator("events", transpose=1, **MUSIC).fit(pieces())


def bits(model: Generator, text: str) -> float:
    """Of a text and its end, symbol by symbol."""
    labels = [0, *model.symbols_.encode(text), 0]
    found, network = 0.0, model.network_
    for t in range(1, len(labels)):
        logits, _ = network(torch.tensor(labels[:t])[:, None], None)
        found -= float(logits[-1, 0].log_softmax(0)[labels[t]]) / math.log(2)
    return found


@torch.no_grad()
def test_it_learns_texts_and_scores_them(writer: Generator) -> None:
    held_out = texts(8, seed=5)
    found = writer.evaluate(held_out)
    assert found["bits_per_character"] < 0.6 < 3.5 < found["baseline"]["bits_per_character"]
    assert found["accuracy"] > 0.8 > 0.3 > found["baseline"]["accuracy"]
    assert (found["documents"], found["steps"]) == (8, sum(len(text) + 1 for text in held_out))
    wanted = sum(bits(writer, text) for text in held_out) / sum(map(len, held_out))
    assert found["bits_per_character"] == pytest.approx(wanted, rel=1e-4)
    assert writer.score(held_out) == -found["bits_per_character"]
    assert writer.validation_.keys() == {"bits_per_character", "accuracy", "nats"}


def test_a_score_does_not_depend_on_the_company_of_a_document(writer: Generator) -> None:
    held_out = texts(5, seed=5)
    steps = [len(text) for text in held_out]
    each = [writer.evaluate([text])["bits_per_character"] for text in held_out]
    together = writer.evaluate(held_out)["bits_per_character"]
    assert together == pytest.approx(np.average(each, weights=steps), rel=1e-5)


def test_it_writes_on(writer: Generator) -> None:
    assert writer.generate("the cat sees", length=5, temperature=0) == " the "
    written = writer.generate(length=300, seed=3)
    assert written == writer.generate(length=300, seed=3)
    assert written != writer.generate(length=300, seed=4)
    assert "".join(writer.stream(length=300, seed=3)) == written
    assert writer.generate(length=4, seed=3) == written[:4]
    assert writer.generate(length=0) == ""
    words = " ".join(writer.generate(length=300, temperature=0.3, seed=s) for s in range(3)).split()
    known = {"the", "cat", "dog", "cow", "sees", "hears", "cat.", "dog.", "cow."}
    assert sum(word in known for word in words) > 0.9 * len(words) > 30
    assert writer.generate("the d", length=200, top_k=1) == writer.generate("the d", length=200, temperature=0)


def test_streamed_logits_are_those_of_the_whole(writer: Generator) -> None:
    from gatewise.tasks.generation.writing import Writer

    labels = torch.tensor([0, *writer.symbols_.encode("the dog hears")])
    whole = writer.network_(labels[:, None], None)[0][-1, 0]
    one = Writer(writer.network_)
    for label in labels:
        one.read(label[None])
    torch.testing.assert_close(one.logits, whole, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_draws_have_the_probabilities_of_the_network(writer: Generator) -> None:
    logits = writer.network_(torch.tensor([0, *writer.symbols_.encode("the ")])[:, None], None)[0][-1, 0]
    expected = (logits.double() / 0.7).softmax(0)
    sampler = Sampler(temperature=0.7, seed=1)
    drawn = [sampler.label(logits) for _ in range(2000)]
    for label in writer.symbols_.encode("cd"):
        share = float(expected[label])
        assert drawn.count(label) / 2000 == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 2000))
    odds = torch.tensor([0.0, 2.0, -30.0, -1.0])
    sounded = torch.stack([sampler.events(odds) for _ in range(2000)]).double().mean(0)
    torch.testing.assert_close(sounded, (odds / 0.7).sigmoid().double(), atol=0.05, rtol=0)


def test_predict_says_what_comes_next(writer: Generator, player: Generator) -> None:
    assert writer.predict(["the cat sees th", "the cat hea"]) == ["e", "r"]
    rising = [[60 + t, 64 + t] for t in range(3)]
    assert player.predict([rising]) == [("63", "67")]


def test_it_learns_events(player: Generator) -> None:
    held_out = pieces(6, seed=9)
    found = player.evaluate(held_out)
    assert found["frame_nll"] < 0.6 * found["baseline"]["frame_nll"]
    assert found["frame_accuracy"] > 0.5
    assert found["steps"] == sum(map(len, held_out))
    nats, frames = 0.0, 0
    for piece in held_out:
        corpus = player.corpus([piece])
        rows = torch.from_numpy(corpus.rows).float()
        logits = player.network_(rows[:-2, None], None)[0][:, 0].detach().double()
        wanted = rows[1:-1].double()
        shares = logits.sigmoid()
        nats -= float((wanted * shares.log() + (1 - wanted) * (1 - shares).log()).sum())
        frames += len(piece)
    assert found["frame_nll"] == pytest.approx(nats / frames, rel=1e-4)


def test_it_plays_on(player: Generator) -> None:
    rising = [[60, 64], [61, 65], [62, 66]]
    assert player.generate(rising, length=2, temperature=0) == [("63", "67"), ("64", "68")]
    played = player.generate(length=30, seed=1)
    assert played == player.generate(length=30, seed=1) == list(player.stream(length=30, seed=1))
    assert len(played) == 30
    assert all(len(frame) <= 1 for frame in player.generate(length=30, top_k=1, seed=1))
    roll = np.zeros((3, 70))
    for t, frame in enumerate(rising):
        roll[t, frame] = 1
    assert player.generate(roll, length=2, temperature=0) == [("63", "67"), ("64", "68")]


@pytest.fixture(scope="module")
def band() -> Generator:
    return Generator("events", **{**MUSIC, "joint_units": 16}).fit(pieces())


@torch.no_grad()
def test_joint_events_are_exact_and_foretold_better(player: Generator, band: Generator, tmp_path: Path) -> None:
    """What goes together is known: when one voice is given, so is the other."""
    held_out = pieces(6, seed=9)
    found = band.evaluate(held_out)
    assert found["frame_nll"] < 0.8 * player.evaluate(held_out)["frame_nll"]
    assert found["frame_accuracy"] > 0.5
    again = load(band.save(tmp_path / "model"))
    assert again.evaluate(held_out) == found
    frames = band.network_.frames
    assert frames is not None
    given = torch.randn(1, frames.size + frames.units)
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 8)
    small = FrameEvents(8, 5)
    torch.nn.init.normal_(small.direct)
    total = torch.exp(-event_loss(given[:, :13].expand(len(states), 13), states, small)).sum()
    assert float(total) == pytest.approx(1.0, abs=1e-4)


@torch.no_grad()
def test_joint_events_are_drawn_as_they_are_scored() -> None:
    torch.manual_seed(0)
    head, given = FrameEvents(4, 6), torch.randn(1, 10)
    torch.nn.init.normal_(head.direct)
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)
    shares = torch.exp(-event_loss(given.expand(16, 10), states, head)).double()
    sampler = Sampler(seed=1)
    drawn = head.draw(given.expand(4000, 10), sampler.sounds)
    numbers = (drawn @ torch.tensor([8.0, 4.0, 2.0, 1.0])).long()
    counted = torch.bincount(numbers, minlength=16).double() / 4000
    torch.testing.assert_close(counted, shares, atol=0.03, rtol=0)
    assert sum(int(Sampler(top_k=1, seed=seed).frame(given[0], head).sum()) for seed in range(40)) <= 40
    likeliest = Sampler(temperature=0).frame(given[0], head)
    assert torch.equal(likeliest, head.draw(given, lambda logits: logits > 0)[0] > 0)


def test_transposed_events_are_moved_as_wholes() -> None:
    from gatewise.tasks.generation.objective import GenerateObjective
    from gatewise.tasks.generation.symbols import EventSymbols

    given = read_events(pieces(10))
    symbols = EventSymbols.fit([frame for piece in given.frames for frame in piece], transpose=3)
    corpus = symbols.corpus(given)
    network = GeneratorNetwork(
        symbols.frequencies(corpus), events=True, cell="lstm", hidden_size=3, num_layers=1, dropout=0.0
    )
    made, plain = (
        GenerateObjective(network, symbols, corpus, None, streams=3, k1=7, k2=None, transpose=by, seed=1)
        for by in (3, 0)
    )
    seen: dict[int, set[int]] = {}
    for moved, still in zip(made.batches(2), plain.batches(2), strict=True):
        for t, b in zip(*np.nonzero(moved.chunk.sequences >= 0), strict=True):
            for now, then in ((moved.values, still.values), (moved.following, still.following)):
                places, before = now[t, b].nonzero()[:, 0], then[t, b].nonzero()[:, 0]
                assert len(places) == len(before)
                by = set((places - before).tolist())
                if by and moved.chunk.sequences[t, b] >= 0:
                    piece = int(moved.chunk.sequences[t, b])
                    # What follows the last frame of a piece is not of it.
                    if now is moved.values:
                        seen.setdefault(piece, set()).update(by)
    assert all(len(by) == 1 for by in seen.values())
    assert set.union(*seen.values()) <= set(range(-3, 4))
    assert len(set.union(*seen.values())) > 2


def test_pieces_of_words(tmp_path: Path) -> None:
    model = Generator("pieces", pieces=40, **SMALL).fit(texts(40))
    assert model.symbols_.size == 41
    found = model.evaluate(texts(8, seed=5))
    assert found["bits_per_character"] < 0.8
    written = "the cat" + model.generate("the cat", length=30, temperature=0.3)
    assert "the cat sees the" in written or "the cat hears the" in written
    begun = model.generate(length=30, temperature=0.3, seed=1)
    assert begun.startswith("the ")
    assert load(model.save(tmp_path / "model")).generate(length=30, temperature=0.3, seed=1) == begun


@pytest.mark.parametrize("cell", [name for name in cells.list() if name not in ("phased", "gru-d", "ea-lstm")])
def test_every_cell_that_reads_x_alone_can_be_taken(cell: str, tmp_path: Path) -> None:
    model = Generator(cell=cell, **{**SMALL, "max_epochs": 1, "hidden_size": 6, "num_layers": 2}).fit(texts(4))
    again = load(model.save(tmp_path / "model"))
    assert again.generate(length=20, seed=1) == model.generate(length=20, seed=1)


def test_few_documents_have_their_ends_held_out() -> None:
    model = Generator(**{**SMALL, "max_epochs": 1}).fit(["\n".join(texts(20))])
    assert "The end of each document is held out" in model.notes_[1]
    many = Generator(**{**SMALL, "max_epochs": 1}).fit(texts(20))
    assert many.notes_[1].startswith("2 documents are held out")


def test_layout_and_files_are_read_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.txt").write_bytes("\ufeffone\r\n\ttwo  three\n".encode())
    (tmp_path / "deep" / "b.txt").write_text("one two\n")
    (tmp_path / "c.md").write_text("not read")
    model = Generator(**{**SMALL, "max_epochs": 1, "validation": 0}).fit(tmp_path)
    assert set(model.symbols_.vocabulary.symbols) == {"", *"one\n\ttwothree "}
    assert model.corpus(tmp_path / "a.txt").steps == len("one\n\ttwo  three\n") + 1


def test_folders_bring_back_the_same_model(writer: Generator, player: Generator, tmp_path: Path) -> None:
    for model, data in ((writer, texts(4, seed=2)), (player, pieces(4, seed=2))):
        folder = model.save(tmp_path / model.unit, metrics={"held_out": {"x": 1.0}})
        again = load(folder)
        assert isinstance(again, Generator)
        assert again.evaluate(data) == model.evaluate(data)
        assert again.generate(length=20, seed=2) == model.generate(length=20, seed=2)
        assert (again.notes_, again.history_, again.validation_) == (model.notes_, model.history_, model.validation_)
        card = (folder / "README.md").read_text()
        assert "# Generator" in card
        assert f"{model.symbols_.metric}: {model.validation_[model.symbols_.metric]:.4g}" in card


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 7}, "7 hidden units, where its other parts and the weights have 24"),
        ({"num_layers": 3}, "3 layers"),
        ({"cell": "gru"}, "weight rnn"),
        ({"cell": "grü"}, "no published cell"),
        ({"unit": "events"}, 'writes text, but unit is "events"'),
        ({"chunk": 0}, "chunk is 0"),
    ],
)
def test_altered_folders_are_refused(writer: Generator, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    from gatewise.checksum import json_sha256

    path = writer.save(tmp_path / "model") / "config.json"
    head = json.loads(path.read_text())
    head["config"]["parameters"] |= change
    head["sha256"]["config.json"] = json_sha256(head["config"])
    path.write_text(json.dumps(head))
    with pytest.raises(ModelFolderError, match=message):
        load(path.parent)


def test_it_starts_from_another_model(writer: Generator) -> None:
    parameters = {**SMALL, "max_epochs": 1, "learning_rate": 1e-7}
    warm = Generator(**parameters).fit(texts(40), init_from=writer)
    assert warm.evaluate(texts(4, seed=2))["bits_per_character"] == pytest.approx(
        writer.evaluate(texts(4, seed=2))["bits_per_character"], rel=1e-3
    )
    with pytest.raises(ConfigurationError, match=r'this one 1 x 25 of "lstm"'):
        Generator(**{**parameters, "hidden_size": 25}).fit(texts(40), init_from=writer)
    with pytest.raises(ConfigurationError, match="both need the same"):
        Generator(**parameters).fit(["xyz" * 40] * 12, init_from=writer)


def test_a_plan_trains_nothing(writer: Generator) -> None:
    plan = Generator(**SMALL).plan(texts(40))
    assert plan.parameters == sum(p.numel() for p in writer.network_.parameters())
    assert plan.layers[0].output == (20, 4, writer.symbols_.size)


def test_the_loss_is_the_mean_of_steps_over_documents() -> None:
    """One stream, one chunk for everything: against each document on its own."""
    from gatewise.tasks.generation.objective import GenerateObjective
    from gatewise.tasks.generation.symbols import TextSymbols

    given = texts(5)
    symbols = TextSymbols.fit(given, unit="characters")
    corpus = symbols.corpus(given, [str(k) for k in range(5)])
    network = GeneratorNetwork(
        symbols.frequencies(corpus), events=False, cell="lstm", hidden_size=4, num_layers=2, dropout=0.0
    )
    options = {"streams": 1, "k1": 10_000, "k2": None, "transpose": 0, "seed": 0}
    # One whole chunk at least is asked of a stream: there is one stream, of one chunk.
    made = GenerateObjective(network, symbols, corpus, None, **options)  # type: ignore[arg-type]
    (batch,) = made.batches(1)
    losses = []
    for text in given:
        labels = torch.tensor([0, *symbols.encode(text), 0])
        logits = network(labels[:-1, None], None)[0][:, 0]
        losses.append(label_loss(logits, labels[1:]))
    torch.testing.assert_close(made.loss(batch), torch.cat(losses).mean(), atol=1e-5, rtol=1e-5)


def test_event_tables(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_text("piece,events\na,60 64\na,\na,62\nb,64 60\n")
    found = read_events(path)
    assert found.frames == ((("60", "64"), (), ("62",)), (("60", "64"),))
    assert found.names == ("a", "b")
    assert read_events(pa.table({"events": [1, None, 2]})).frames == ((("1",), (), ("2",)),)
    assert read_events(pa.table({"notes": ["kick snare", ""]}), "notes").frames == ((("kick", "snare"), ()),)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "at least one piece"),
        ([[]], "piece 0 is empty"),
        ([[[1], 2]], "piece 0, frame 1 is 2; expected a list of the events"),
        ([[["a b"]]], "'a b' is no event"),
        ([[[1.5]]], r"1\.5 is no event"),
        (np.zeros((3, 4)), "put it into a list"),
        ([np.zeros(3)], r"expected a piano roll \[T, E\]"),
        (pa.table({"piece": ["a", "b", "a"], "events": ["1", "1", "1"]}), 'row 3: piece "a" goes on after another'),
        (pa.table({"event": ["1"]}), 'no column "events".*did you mean "event"'),
        (pa.table({"events": [1.5]}), "holds double, expected names of events"),
        ([[[], []]], "there is no event in any frame"),
    ],
)
def test_bad_events_are_one_clear_message(given: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Generator("events", **{**MUSIC, "max_epochs": 1}).fit(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "at least one text"),
        (["a", 3], "text 1 is int"),
        (["a\x00b"] * 2, r"2 of 2 texts cannot be used: row 0: the text has \(U\+0000\)"),
        (["ab", ""], "row 1: the text is empty"),
        ("no such file.txt", "neither a file nor a folder"),
        (3, "expected a text file, a folder of them, or a list of texts; got int"),
    ],
)
def test_bad_texts_are_one_clear_message(given: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Generator(**SMALL).fit(given)


def test_bad_files_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file ending in \.txt"):
        Generator(**SMALL).fit(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"caf\xe9 au lait")
    (tmp_path / "b.txt").write_bytes(b" \n")
    with pytest.raises(DataError, match=r'a\.txt" is not UTF-8 text: byte 3, .*b\.txt" is empty'):
        Generator(**SMALL).fit(tmp_path)


def test_what_the_model_does_not_know_is_refused(writer: Generator, player: Generator) -> None:
    with pytest.raises(DataError, match='row 1: "z"'):
        writer.evaluate(["the cat", "the zebra"])
    with pytest.raises(DataError, match=r'"Q" \(U\+0051'):
        writer.generate("Q")
    with pytest.raises(DataError, match=r'do not|does not know: "90" \(piece 0, frame 1\)'):
        player.evaluate([[[60], [90]]])
    known = Generator(alphabet="zbr", **{**SMALL, "max_epochs": 1}).fit(texts(12))
    assert known.evaluate(["the zebra"])["bits_per_character"] > 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"unit": "words"}, 'unit is "words"'),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"chunk": 0}, "chunk is 0"),
        ({"chunk": 50, "reach": 20}, "reach is 20, chunk is 50"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"pieces": 50}, 'pieces is 50 with unit="characters"'),
        ({"unit": "pieces"}, 'pieces is None with unit="pieces"'),
        ({"joint_units": -1}, "joint_units is -1"),
        ({"transpose": 2}, 'transpose is 2, which is for unit="events"'),
        ({"alphabet": 3}, "alphabet is 3"),
        ({"cell": "phased"}, 'cell is "phased", which reads time besides x'),
        ({"events": "notes"}, "events is 'notes', which is for unit=\"events\""),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"device": "gpu"}, "device is 'gpu'"),
    ],
)
def test_bad_parameters_are_refused_at_fit(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Generator(**parameters).fit(texts(3))


def test_other_refusals(writer: Generator) -> None:
    with pytest.raises(CellError, match='no published cell "lstn"'):
        Generator(cell="lstn").fit(texts(3))
    for options, message in (
        ({"temperature": -1}, "temperature is -1"),
        ({"top_k": 0}, "top_k is 0"),
        ({"length": -1}, "length is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"prompt": [60]}, "prompt is list, expected text"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            writer.generate(**options)  # type: ignore[arg-type]
    with pytest.raises(DataError, match='event "kick" is no whole number'):
        Generator("events", transpose=1).fit([[["kick"], ["snare"]]])
