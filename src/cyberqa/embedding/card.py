"""What a model's card says of it: the README.md of its folder, or of its copy in the local cache. Fetches nothing."""

from pathlib import Path
from typing import Any

_ALL = "multilingual"  # a card's word for "many", beside a list of them or instead of one


def languages_of_card(model: str) -> tuple[str, ...] | None:
    """Return the languages that a model's card names; None where there is no card, or it names none."""
    from huggingface_hub import metadata_load  # imported already: sentence-transformers has loaded the model

    card = _card(model)
    try:
        about: Any = metadata_load(card) if card else None
    except Exception:  # not YAML, not UTF-8: a card is a courtesy, and its faults are nobody's business here
        return None
    named = about.get("language") if isinstance(about, dict) else None  # YAML reads Norwegian, `no`, as False
    listed = named if isinstance(named, list) else [named]
    codes = tuple("no" if code is False else str(code) for code in listed if code not in (None, _ALL))
    return codes or None


def _card(model: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    if Path(model).is_dir():
        card = Path(model) / "README.md"
        return card if card.is_file() else None
    # A bare name is one of the makers of sentence-transformers.
    repository = model if "/" in model else f"sentence-transformers/{model}"
    try:
        cached = try_to_load_from_cache(repository, "README.md")
    except ValueError:  # not a name that a repository can have
        return None
    return Path(cached) if isinstance(cached, str) else None
