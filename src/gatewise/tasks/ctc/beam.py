"""Prefix beam search: the likeliest sequences of labels, whole or as they come in.

Legend: T steps, B batch, V labels with the blank among them.
"""

from dataclasses import KW_ONLY, dataclass, field
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor

from gatewise.backends.cpu import core
from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.ctc.hypothesis import Hypothesis, unpack
from gatewise.tasks.ctc.lexicon import Lexicon
from gatewise.tasks.ctc.listening import Counting, Labels, Listener, Words
from gatewise.tasks.ctc.options import check_blank, check_count, check_nats, check_weight
from gatewise.tasks.ctc.outputs import Outputs, not_numbers, read_outputs
from gatewise.tasks.ctc.pairs import Lengths
from gatewise.tasks.ctc.prefixes import PrefixBeam
from gatewise.tasks.ctc.searches import AskingSearch, CoreSearch, PlainSearch, Search, ask
from gatewise.tasks.language import LabelModel, LabelNGram, NGram


@dataclass(frozen=True, eq=False)
class BeamDecoder:
    """Prefix beam search (Graves 2012, section 7.5; Hannun, Maas, Jurafsky & Ng 2014, algorithm 1).

    The beam holds prefixes: sequences of labels, each with one probability, the sum over all alignments that lead to
    it. A language model joins by shallow fusion, so that hypotheses are ranked by

        ln p(labels | input) + weight * ln p(labels or words) + bonus * number of labels or words.

    (Hannun et al. have a power of the number of words where this has an exponential.)

    Args:
        width: how many prefixes survive a step.
        blank: the number of the blank.
        blank_penalty: what a blank costs, in nats; see `ctc_loss`.
        language_model: over labels, a `LabelModel` such as `LabelNGram`, whose end of the sequence counts as well; or,
            with a lexicon, an `NGram` over its words. None for none.
        weight: of the language model.
        bonus: for each label or, with a lexicon, each word; positive for longer hypotheses.
        lexicon: words with a separator. A closed lexicon allows nothing else; hypotheses whose last word has not ended
            come last, and say so.

    Raises:
        ConfigurationError: an option is out of range, or does not go with another.
        DataError: the n-gram model does not have the lexicon's words.

    >>> decoder = BeamDecoder(width=4)
    >>> logits = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()
    >>> best = decoder(logits)[0][0]
    >>> best.labels, round(best.log_prob, 4)  # in three alignments, 0.64; the likeliest one, of blanks, has 0.36
    ((1,), -0.4463)
    """

    width: int = 16
    _: KW_ONLY
    blank: int = 0
    blank_penalty: float = 0.0
    language_model: LabelModel[Any] | NGram | None = None
    weight: float = 1.0
    bonus: float = 0.0
    lexicon: Lexicon | None = None
    # For each number of labels a search in the core that has seen nothing, where the options have been checked.
    _searches: dict[int, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        who, lexicon, language_model = "BeamDecoder", self.lexicon, self.language_model
        check_count(self.width, "width", who=who)
        check_nats(self.blank_penalty, "blank_penalty", who=who)
        check_weight(self.weight, who=who)
        check_nats(self.bonus, "bonus", who=who)
        if lexicon is None and isinstance(language_model, NGram):
            raise ConfigurationError(
                f"{who}: an NGram scores words: give their lexicon=, or LabelNGram(ngram, symbols) for labels"
            )
        if lexicon is not None:
            if language_model is not None and not isinstance(language_model, NGram):
                raise ConfigurationError(f"{who}: with a lexicon the language model has to be an NGram over its words")
            if lexicon.separator is None:
                raise ConfigurationError(
                    f"{who}: words in a beam need a separator to be told apart; token_passing takes this lexicon"
                )
            if language_model is not None:
                lexicon.numbers(language_model)
        if isinstance(language_model, LabelNGram) and language_model.blank != self.blank:
            raise ConfigurationError(
                f"{who}: blank is {self.blank!r}, but the language model was told {language_model.blank}"
            )

    def __call__(self, logits: Tensor, lengths: Lengths | None = None, *, n_best: int = 1) -> list[list[Hypothesis]]:
        """The best hypotheses of each sequence, best first.

        Args:
            logits: `[T, B, V]`, or `[T, V]` for one sequence; logarithms of probabilities do as well.
            lengths: how many steps each sequence has; None for all T.
            n_best: how many hypotheses of each; there are as many as the beam holds at most.

        Raises:
            DataError: logits or lengths do not fit; a sequence has steps without probabilities, or no hypothesis with
                a probability above 0.
        """
        who = "BeamDecoder"
        outputs = read_outputs(logits, lengths, who=who)
        most = check_count(n_best, "n_best", who=who)
        if core is None or self._outside:
            found = self._stepwise(outputs, most)
        else:
            beam = self._in_core(outputs.logits.shape[2])
            bad, packed = core.ctc_search(beam, outputs.logits, outputs.lengths, most, torch.get_num_threads())
            if bad[0] >= 0:
                raise not_numbers(*bad)
            found = unpack(packed, None if self.lexicon is None else self.lexicon.words)
        for sequence, hypotheses in enumerate(found):
            if not hypotheses:
                raise _nothing(sequence)
        return found

    def stream(self) -> "BeamStream":
        """A search over one sequence whose steps come bit by bit."""
        return BeamStream(self)

    def search(self, labels: int) -> Search:
        """A search over one sequence of V labels, in the core where it is there.

        Raises:
            ConfigurationError: the blank is none of V labels.
            DataError: the lexicon or the language model is of other labels.
        """
        if core is None:
            self._check(labels)
            listener = self._listener()
            return PlainSearch(PrefixBeam(self.width, self.blank, self.blank_penalty, listener))
        beam = self._in_core(labels).fresh()
        if self._outside:
            assert self.language_model is not None
            assert not isinstance(self.language_model, NGram)
            return AskingSearch(beam, self.language_model)
        return CoreSearch(beam, None if self.lexicon is None else self.lexicon.words)

    @property
    def _outside(self) -> bool:
        """Whether the language model is one that the core does not know."""
        return self.language_model is not None and not isinstance(self.language_model, NGram | LabelNGram)

    def _stepwise(self, outputs: Outputs, most: int) -> list[list[Hypothesis]]:
        rows = [outputs.log_probs(b) for b in range(len(outputs.lengths))]
        searches = [self.search(outputs.logits.shape[2]) for _ in rows]
        asking = [search for search in searches if isinstance(search, AskingSearch)]
        for search, log_probs in zip(searches, rows, strict=True):
            if isinstance(search, PlainSearch):
                search.run(log_probs)
        # Side by side, so that the language model sees all sequences at once.
        for t in range(int(outputs.lengths.max()) if asking else 0):
            going = [k for k, log_probs in enumerate(rows) if t < len(log_probs)]
            for k in going:
                asking[k].step(rows[k][t])
            ask([asking[k] for k in going], asking[0].model)
        return [search.best(most, finished=True) for search in searches]

    def _check(self, labels: int) -> None:
        check_blank(self.blank, labels, who="BeamDecoder")
        if self.lexicon is not None:
            self.lexicon.check(labels, self.blank)
        if isinstance(self.language_model, LabelNGram) and len(self.language_model.words) != labels:
            raise DataError(
                f"BeamDecoder: the logits have {labels} labels, but the language model was told "
                f"{len(self.language_model.words)} symbols"
            )

    def _listener(self) -> Listener:
        if self.lexicon is not None:
            assert self.language_model is None or isinstance(self.language_model, NGram)
            return Words(self.lexicon, self.language_model, self.weight, self.bonus)
        if self.language_model is None:
            return Counting(self.bonus)
        assert not isinstance(self.language_model, NGram)
        return Labels(self.language_model, self.weight, self.bonus, self.blank)

    def _in_core(self, labels: int) -> Any:
        assert core is not None
        if labels in self._searches:
            return self._searches[labels]
        self._check(labels)
        model = self.language_model
        ngram = model if isinstance(model, NGram) else model.ngram if isinstance(model, LabelNGram) else None
        self._searches[labels] = core.CtcBeam(
            labels=labels,
            blank=self.blank,
            penalty=self.blank_penalty,
            width=self.width,
            weight=self.weight,
            bonus=self.bonus,
            ngram=None if ngram is None else ngram.compiled,
            label_words=model.words if isinstance(model, LabelNGram) else None,
            lexicon=None if self.lexicon is None else self.lexicon.compiled(ngram),
            rows=self._outside,
        )
        return self._searches[labels]


class BeamStream:
    """A search over one sequence whose steps come bit by bit; `BeamDecoder.stream` makes one.

    However the steps are cut, what comes out is what comes out of the whole.

    Attributes:
        steps: how many steps it has seen.

    >>> stream = BeamDecoder(width=4).stream()
    >>> stream.feed(torch.tensor([[0.1, 0.8, 0.1]]).log())
    >>> stream.best()[0].labels
    (1,)
    >>> stream.feed(torch.tensor([[0.1, 0.1, 0.8], [0.9, 0.05, 0.05]]).log())
    >>> stream.best(final=True)[0]
    Hypothesis(labels=(1, 2), score=-0.483..., log_prob=-0.483..., starts=(0, 1), ends=(1, 2), ...)
    """

    def __init__(self, decoder: BeamDecoder) -> None:
        self._decoder = decoder
        self._search: Search | None = None
        self._labels = 0
        self.steps = 0

    def feed(self, logits: Tensor) -> None:
        """Take the next steps, any number of them.

        Args:
            logits: `[T, V]`.

        Raises:
            DataError: the logits do not fit those before, or a step has no probabilities; none is then taken.
        """
        if isinstance(logits, Tensor) and logits.dim() != 2:
            raise DataError(f"BeamStream: expected logits [T, V] of one sequence, got {list(logits.shape)}")
        outputs = read_outputs(logits, None, who="BeamStream")
        labels = outputs.logits.shape[2]
        if self._search is None:
            self._search = self._decoder.search(labels)
            self._labels = labels
        if labels != self._labels:
            raise DataError(f"BeamStream: expected logits [T, {self._labels}], as before, got {list(logits.shape)}")
        self._search.feed(outputs, self.steps)
        self.steps += len(outputs.logits)

    def best(self, n_best: int = 1, *, final: bool = False) -> list[Hypothesis]:
        """The best hypotheses so far, best first. More steps may follow, whatever was asked.

        Args:
            n_best: how many; there are as many as the beam holds at most.
            final: rank them as if nothing followed: the end of the sequence counts for the language model, and the
                last word has to end.

        Raises:
            DataError: no hypothesis has a probability above 0.
        """
        most = check_count(n_best, "n_best", who="BeamStream")
        if self._search is None:
            return [Hypothesis((), 0.0, 0.0, (), (), None if self._decoder.lexicon is None else ())]
        found = self._search.best(most, final)
        if not found:
            raise _nothing(0)
        return found

    def stable(self) -> tuple[int, ...]:
        """The labels with which every hypothesis of the beam begins: they stay, whatever follows."""
        places = zip(*(hypothesis.labels for hypothesis in self.best(self._decoder.width)), strict=False)
        return tuple(here[0] for here in takewhile(lambda here: len(set(here)) == 1, places))


def _nothing(sequence: int) -> DataError:
    return DataError(
        f"sequence {sequence} has no hypothesis with a probability above 0: where logits are -inf, no label may follow"
    )
