"""The form of text: what counts as the same text is written with the same code points."""

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gatewise.errors import ConfigurationError, DataError, nearest

FORMS = ("NFC", "NFD", "NFKC", "NFKD")
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class TextForm:
    """How text is written before anything else looks at it; kept with a model, so that it is always the same.

    White space, of whatever kind and length, becomes one space, and none stands at the ends; unless the layout is kept.

    Args:
        unicode: the Unicode normalisation form (Unicode Standard Annex 15): "NFC" composes (é is one code point), "NFD"
            decomposes; "NFKC" and "NFKD" also replace what only looks different, such as ligatures and full-width
            letters.
        lowercase: whether letters become small ones.
        layout: whether white space stays as it is: line breaks (all of which become U+000A), tabs and runs of spaces.

    Raises:
        ConfigurationError: no such form.

    >>> TextForm()("  Cafe\\u0301 \\n au lait")
    'Café au lait'
    """

    unicode: Literal["NFC", "NFD", "NFKC", "NFKD"] = "NFC"
    lowercase: bool = False
    layout: bool = False

    def __post_init__(self) -> None:
        if self.unicode not in FORMS:
            raise ConfigurationError(f'unknown Unicode form "{self.unicode}": {nearest(str(self.unicode), FORMS)}')
        for name in ("lowercase", "layout"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"text form: {name} must be true or false; got {getattr(self, name)!r}")

    def __call__(self, text: str) -> str:
        """The text in this form.

        Raises:
            DataError: it is no text, or has control characters or halves of surrogate pairs in it.
        """
        if not isinstance(text, str):
            raise DataError(f"expected text, got {type(text).__name__} {text!r:.40}")
        written = unicodedata.normalize(self.unicode, text)
        if self.lowercase:
            # Small letters may be less composed than what they come from.
            written = unicodedata.normalize(self.unicode, written.lower())
        spaced = written.replace("\r\n", "\n").replace("\r", "\n") if self.layout else " ".join(written.split())
        for character in set(spaced) - set("\n\t"):
            if unicodedata.category(character) in ("Cc", "Cs") or character == BYTE_ORDER_MARK:
                raise DataError(
                    f"the text has {show_character(character)} in it, which nobody writes or says: "
                    f"{spaced[max(spaced.index(character) - 20, 0) :][:40]!r}; "
                    "is it read with the right encoding?"
                )
        return spaced

    def to_dict(self) -> dict[str, Any]:
        """Its values, for a file; the layout only where it is kept."""
        values = asdict(self)
        return values if self.layout else {name: values[name] for name in ("unicode", "lowercase")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TextForm":
        """The form that `to_dict` wrote. Raises `ConfigurationError` for other keys and values."""
        if set(values) - {"layout"} != {"unicode", "lowercase"}:
            raise ConfigurationError(f"a text form is written with unicode, lowercase; got {', '.join(sorted(values))}")
        return cls(**values)


def show_character(character: str) -> str:
    """A character with its code point and name, which tell apart what looks alike.

    >>> show_character("é")
    '"é" (U+00E9 LATIN SMALL LETTER E WITH ACUTE)'
    """
    point, name = f"U+{ord(character):04X}", unicodedata.name(character, "")
    shown = f'"{character}" ' if character.isprintable() else ""
    return f"{shown}({point}{' ' + name if name else ''})"
