"""TIMIT's 61 phones and the 39 that results are given in (Lee & Hon 1989, table I)."""

from collections.abc import Sequence

from gatewise.data.speech.segments import Segment
from gatewise.errors import DataError, nearest

_SILENCES = "bcl dcl gcl pcl tcl kcl epi pau h#"
_FOLDS = {
    "sil": _SILENCES,
    "aa": "aa ao",
    "ah": "ah ax ax-h",
    "er": "er axr",
    "hh": "hh hv",
    "ih": "ih ix",
    "l": "l el",
    "m": "m em",
    "n": "n en nx",
    "ng": "ng eng",
    "sh": "sh zh",
    "uw": "uw ux",
}
_ALONE = "ae aw ay b ch d dh dx eh ey f g iy jh k ow oy p r s t th uh v w y z"
_GLOTTAL_STOP = "q"  # belongs to none of the 39

_MAP: dict[str, str] = {phone: folded for folded, phones in _FOLDS.items() for phone in phones.split()}
_MAP |= {phone: phone for phone in _ALONE.split()}

PHONES: tuple[str, ...] = tuple(sorted([*_MAP, _GLOTTAL_STOP]))
FOLDED: tuple[str, ...] = tuple(sorted(set(_MAP.values())))


def fold(phones: Sequence[str]) -> tuple[str, ...]:
    """Phones out of 61 as phones out of 39; glottal stops are left out, repetitions stay.

    Raises:
        DataError: a phone that TIMIT does not have.

    >>> fold("h# q ao l h#".split())
    ('sil', 'aa', 'l', 'sil')
    """
    return tuple(_MAP[_known(phone)] for phone in phones if phone != _GLOTTAL_STOP)


def fold_segments(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The same of segments; the time of a glottal stop is left out as well.

    Raises:
        DataError: a phone that TIMIT does not have.
    """
    return tuple(
        Segment(segment.start, segment.end, _MAP[_known(segment.label)])
        for segment in segments
        if segment.label != _GLOTTAL_STOP
    )


def _known(phone: str) -> str:
    if phone not in _MAP:
        raise DataError(f'"{phone}" is none of TIMIT\'s 61 phones: {nearest(phone, PHONES)}')
    return phone
