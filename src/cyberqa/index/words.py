"""Words as they are matched: folded, in one script, and stemmed by the language they are in. None of it is shown."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import Stemmer

from cyberqa.languages import FAMILY

_ALGORITHMS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian",
    "lt": "lithuanian", "nl": "dutch", "no": "norwegian", "nn": "norwegian", "pl": "polish", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sv": "swedish", "tr": "turkish", **dict.fromkeys(FAMILY, "serbian"),
}  # fmt: skip
"""ISO 639-1 code -> Snowball's stemmer. It has none for Albanian, Bulgarian, Macedonian and Slovenian; those for Hindi,
Nepali and Tamil want the vowel signs that part words here."""

_CYRILLIC_STAYS = frozenset({"be", "bg", "kk", "ky", "mn", "ru", "tg", "tt", "uk"})
"""Languages written in Cyrillic that have no Latin twin in these reports; the Russian stemmer wants Cyrillic."""

_CYRILLIC = re.compile("[\u0400-\u04ff]")
_TO_LATIN = dict(zip("абвгдежзијклмнопрстћуфхцчш", "abvgdezzijklmnoprstcufhccs", strict=True)) | {
    "ђ": "dj", "љ": "lj", "њ": "nj", "џ": "dz", "ѓ": "gj", "ѕ": "dz", "ќ": "kj",
}  # fmt: skip
"""Serbian and Macedonian letters, lower case -> Latin letters without their accents."""

_LETTERS = str.maketrans(
    {"đ": "dj", "ǵ": "gj", "ḱ": "kj", "ø": "o", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe"}
)  # what Unicode does not take apart, and what Serbian and Macedonian type without accents

_WORD = re.compile(r"[^\W_]+")
_FOOTNOTE_MARK = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_SHORTEST_PLURAL = 2  # letters; "Is" is none, "PPPs" and "IDs" are
_WORDS_KEPT = 1 << 16  # a text of a million words has some 40,000 different ones

Analyser = tuple[str | None, bool]
"""How the words of a language become terms: Snowball's algorithm, and whether Cyrillic stays."""


def analyser(language: str | None) -> Analyser:
    """Return how words of a language become terms; without a language, or a stemmer for it, they are not stemmed."""
    algorithm = _ALGORITHMS.get(language or "")
    return (algorithm if algorithm in Stemmer.algorithms() else None, language in _CYRILLIC_STAYS)


def analysers(languages: Iterable[str | None]) -> tuple[Analyser, ...]:
    """Return the different analysers of some languages, in a fixed order."""
    return tuple(sorted({analyser(language) for language in languages}, key=lambda way: (way[0] or "", way[1])))


def spelled_words(text: str) -> list[str]:
    """Return the words of a text as they are written, in order; footnote marks part words."""
    text = _FOOTNOTE_MARK.sub(" ", text)
    if not text.isascii():  # a mark that has no place in a composed letter would part a word
        text = unicodedata.normalize("NFC", text)
        if marks := [ord(ch) for ch in set(text) if unicodedata.combining(ch)]:
            text = text.translate(dict.fromkeys(marks))
    return _WORD.findall(text)


def folded_words(text: str, language: str | None = None) -> list[str]:
    """Return the words of a text, in order: lower case, without accents, Serbian and Macedonian in Latin letters.

    >>> folded_words("Ђорђе, Đorđe")
    ['djordje', 'djordje']
    """
    stays = language in _CYRILLIC_STAYS
    return [part for word in spelled_words(text) for part in fold(word, stays)]


def index_terms(text: str, language: str | None = None) -> list[str]:
    """Return the terms of a text in a language, in order: its words, folded and stemmed.

    >>> index_terms("Strategies of KOS-CERT, per force³ Çelësi", "en")
    ['strategi', 'of', 'kos', 'cert', 'per', 'forc', 'celesi']
    >>> index_terms("PPPs", "en")
    ['ppp']
    """
    way = analyser(language)
    return [term for word in spelled_words(text) for term in terms_of(word, way)]


@lru_cache(_WORDS_KEPT)
def terms_of(word: str, way: Analyser) -> tuple[str, ...]:
    """Return the terms of one word as it is written; more than one where it comes apart, such as "½"."""
    algorithm, cyrillic_stays = way
    if algorithm == "english" and word.endswith("s") and word[:-1].isupper() and len(word) > _SHORTEST_PLURAL:
        word = word[:-1]  # the stemmer takes no -s from what has no vowel
    parts = fold(word, cyrillic_stays)
    if algorithm is None:
        return parts
    # Folded before and after: with and without accents must meet, and the Serbian stemmer writes "đ" for "dj".
    return tuple(_unaccented(_stemmer(algorithm).stemWord(part)) for part in parts)


@lru_cache(_WORDS_KEPT)
def fold(word: str, cyrillic_stays: bool = False) -> tuple[str, ...]:
    """Return a word folded, in its parts: nearly always one."""
    if word.isascii():
        return (word.lower(),)
    lower = unicodedata.normalize("NFC", word.casefold())
    if not cyrillic_stays and all(ch in _TO_LATIN for ch in _CYRILLIC.findall(lower)):
        lower = "".join(_TO_LATIN.get(ch, ch) for ch in lower)
    return tuple(_WORD.findall(_unaccented(lower)))


def _unaccented(word: str) -> str:
    if word.isascii():
        return word
    # "й" is a letter of its own, and the Russian stemmer's endings have it.
    parts = (ch if ch == "й" else unicodedata.normalize("NFKD", ch) for ch in word.translate(_LETTERS))
    return "".join(ch for ch in "".join(parts) if not unicodedata.combining(ch)).casefold()


@lru_cache
def _stemmer(algorithm: str) -> Stemmer.Stemmer:
    return Stemmer.Stemmer(algorithm)
