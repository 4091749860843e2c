"""Token passing: the likeliest words of a lexicon.

Legend: T steps, B batch, V labels with the blank among them.
"""

import torch
from torch import Tensor

from gatewise.backends.cpu import core
from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.ctc.hypothesis import Hypothesis, unpack
from gatewise.tasks.ctc.lexicon import Lexicon
from gatewise.tasks.ctc.options import check_blank, check_count, check_nats, check_weight
from gatewise.tasks.ctc.outputs import not_numbers, read_outputs
from gatewise.tasks.ctc.pairs import Lengths
from gatewise.tasks.ctc.passing import Passing
from gatewise.tasks.language import NGram


def token_passing(
    logits: Tensor,
    lexicon: Lexicon,
    lengths: Lengths | None = None,
    *,
    blank: int = 0,
    blank_penalty: float = 0.0,
    language_model: NGram | None = None,
    weight: float = 1.0,
    bonus: float = 0.0,
    width: int | None = None,
) -> list[Hypothesis]:
    """Find the words of a closed lexicon whose best alignment is the likeliest (Graves et al. 2009; 2012, section 7.5).

    Graves passes tokens through the states of each word, and from words to words under a bigram model. Here words that
    begin alike share the states of a trie, and a state is kept for each context of the n-gram model, of any order, so
    that the search is exact without `width`. It maximises over alignments where `BeamDecoder` sums over them, and needs
    no separator between words, so that words may be spelled in phones.

    Args:
        logits: `[T, B, V]`, or `[T, V]` for one sequence; logarithms of probabilities do as well.
        lexicon: the words. With a separator it has to stand between two words, and nowhere else.
        lengths: how many steps each sequence has; None for all T.
        blank: the number of the blank.
        blank_penalty: what a blank costs, in nats; see `ctc_loss`.
        language_model: over the words; the end of the sentence counts as well. None for none.
        weight: of the language model.
        bonus: for each word.
        width: how many states survive a step; None for all.

    Returns:
        The best hypothesis of each sequence, without words if that is the likeliest. `complete` is false where no word
        ends with the input in any token that `width` has left.

    Raises:
        DataError: logits, lengths, lexicon or language model do not fit; a sequence has steps without probabilities, or
            no token with a probability above 0.
        ConfigurationError: an option is out of range, or the lexicon is open.

    >>> lexicon = Lexicon({"tea": [1, 2], "eat": [2, 1], "at": [3, 1]})
    >>> logits = 4 * torch.eye(4)[[1, 2, 0, 2, 1]]
    >>> best = token_passing(logits, lexicon)[0]
    >>> best.words, best.starts
    (('tea', 'eat'), (0, 1, 3, 4))
    """
    who = "token_passing"
    outputs = read_outputs(logits, lengths, who=who)
    labels = outputs.logits.shape[2]
    check_blank(blank, labels, who=who)
    penalty = check_nats(blank_penalty, "blank_penalty", who=who)
    check_weight(weight, who=who)
    check_nats(bonus, "bonus", who=who)
    most = None if width is None else check_count(width, "width", who=who)
    if not lexicon.closed:
        raise ConfigurationError(f"{who}: the lexicon is open; words that it does not have take a BeamDecoder")
    lexicon.check(labels, blank)
    if language_model is not None:
        lexicon.numbers(language_model)
    if core is not None:
        ngram = None if language_model is None else language_model.compiled
        bad, packed = core.ctc_tokens(
            outputs.logits,
            outputs.lengths,
            blank,
            penalty,
            most or 0,
            weight,
            bonus,
            ngram,
            lexicon.compiled(language_model),
            torch.get_num_threads(),
        )
        if bad[0] >= 0:
            raise not_numbers(*bad)
        found = [hypotheses[0] if hypotheses else None for hypotheses in unpack(packed, lexicon.words)]
    else:
        found = []
        for b in range(len(outputs.lengths)):
            passing = Passing(lexicon, language_model, weight, bonus, blank, penalty, most)
            found.append(passing.run(outputs.log_probs(b)))
    for sequence, hypothesis in enumerate(found):
        if hypothesis is None:
            raise DataError(
                f"{who}: sequence {sequence} has no words with a probability above 0; use a larger width, or look for "
                "logits of -inf"
            )
    return [hypothesis for hypothesis in found if hypothesis is not None]
