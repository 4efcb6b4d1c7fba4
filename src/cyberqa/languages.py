"""Names of languages, and which of them a model covers. Detects nothing: the question path comes through here."""

from collections.abc import Collection, Mapping, Sequence

_NAMES = dict(
    pair.split(" ", 1)
    for pair in """\
af Afrikaans;am Amharic;an Aragonese;ar Arabic;as Assamese;az Azerbaijani;ba Bashkir;be Belarusian;bg Bulgarian;
bn Bengali;br Breton;bs Bosnian;ca Catalan;cs Czech;cy Welsh;da Danish;de German;dz Dzongkha;el Greek;en English;
eo Esperanto;es Spanish;et Estonian;eu Basque;fa Persian;fi Finnish;fo Faroese;fr French;fy Western Frisian;ga Irish;
gd Scottish Gaelic;gl Galician;gu Gujarati;ha Hausa;he Hebrew;hi Hindi;hr Croatian;ht Haitian;hu Hungarian;hy Armenian;
id Indonesian;ig Igbo;is Icelandic;it Italian;ja Japanese;jv Javanese;ka Georgian;kk Kazakh;km Khmer;kn Kannada;
ko Korean;ku Kurdish;ky Kyrgyz;la Latin;lb Luxembourgish;lg Ganda;ln Lingala;lo Lao;lt Lithuanian;lv Latvian;
mg Malagasy;mk Macedonian;ml Malayalam;mn Mongolian;mr Marathi;ms Malay;mt Maltese;my Burmese;ne Nepali;nl Dutch;
nn Norwegian Nynorsk;no Norwegian;oc Occitan;om Oromo;or Odia;pa Punjabi;pl Polish;ps Pashto;pt Portuguese;qu Quechua;
ro Romanian;ru Russian;rw Kinyarwanda;sa Sanskrit;se Northern Sami;si Sinhala;sk Slovak;sl Slovenian;sn Shona;so Somali;
sq Albanian;sr Serbian;st Southern Sotho;sv Swedish;sw Swahili;ta Tamil;te Telugu;tg Tajik;th Thai;tk Turkmen;
tl Tagalog;tr Turkish;tt Tatar;ug Uyghur;uk Ukrainian;ur Urdu;uz Uzbek;vi Vietnamese;vo Volapük;wa Walloon;xh Xhosa;
yo Yoruba;zh Chinese;zu Zulu""".replace("\n", "").split(";")
)
"""ISO 639-1 code -> English name, of every language that the detector knows."""

FAMILY = frozenset({"bs", "hr", "sr", "me", "sh", "cnr"})
"""Codes in use for Bosnian, Croatian, Serbian and Montenegrin. Detectors cannot tell these apart in Latin script
(a paragraph of Serbian comes out as Bosnian), so they are named, filtered and counted as covered together."""

_FAMILY_NAME = "Bosnian/Croatian/Serbian/Montenegrin"
_CODES = {name.casefold(): code for code, name in _NAMES.items()} | {"montenegrin": "me"}


def code_of(name: str) -> str:
    """Return the code of a language given by code, by code with region or script, or by English name.

    >>> code_of("Albanian"), code_of("en-GB"), code_of("sr_Cyrl")
    ('sq', 'en', 'sr')
    """
    folded = name.strip().casefold()
    return _CODES.get(folded) or folded.replace("_", "-").split("-")[0]


def describe(code: str) -> str:
    """Return name and code for people: ``Albanian (sq)``; the code alone where it is none that we know."""
    name = _FAMILY_NAME if code in FAMILY else _NAMES.get(code)
    return f"{name} ({code})" if name else code


def same_language(code: str, other: str) -> bool:
    """Whether two codes name one language, or two that cannot be told apart."""
    return code == other or (code in FAMILY and other in FAMILY)


def uncovered(documents: Mapping[str, Sequence[str]], covered: Collection[str] | None) -> dict[str, Sequence[str]]:
    """Return of language code -> document ids what a model does not cover; nothing where that is not known (None)."""
    if covered is None:
        return {}
    return {
        code: ids for code, ids in documents.items() if not any(same_language(code_of(name), code) for name in covered)
    }


_MULTILINGUAL = "paraphrase-multilingual-MiniLM-L12-v2"
"""Named as an example: its card lists Albanian, Macedonian, Serbian and Croatian, and, unlike the E5 models, it wants
no prefix in front of questions and passages."""


def coverage_note(missing: Mapping[str, Sequence[str]], model: str) -> str:
    """Return one line on documents in languages that a model does not cover; empty where there are none."""
    ids = [id_ for code in missing for id_ in missing[code]]
    if not ids:
        return ""
    names = ", ".join(dict.fromkeys(describe(code) for code in missing))
    which = f"{ids[0]} is" if len(ids) == 1 else f"{len(ids)} documents are"
    return (
        f"{which} in {names}, which the model {model} does not cover; answers from"
        f" {'it' if len(ids) == 1 else 'them'} will be poor. Set model to a multilingual one"
        f' (e.g. model = "{_MULTILINGUAL}" in cyberqa.toml)'
    )
