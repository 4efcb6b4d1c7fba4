"""Makes src/cyberqa/names/countries.tsv from the library countryinfo (MIT), a development dependency.

The question path must not pay for a library, nor an index change with one: what is needed of it is 20 KB of text.
What it lacks, or has out of date, stands in src/cyberqa/names/aliases.toml.
"""

import json
import sys
from collections import Counter
from importlib import metadata, resources
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src" / "cyberqa" / "names" / "countries.tsv"
LEAST_POPULATION = 30_000  # smaller territories are named like towns and people elsewhere: Kingston, Stanley
GONE = ("Serbia and Montenegro",)
HEAD = "# country, capital, adjectives; from countryinfo {} (MIT). Made by docs/make_countries.py.\n"


def main() -> None:
    """Write the table, or print it with --print."""
    files = (resources.files("countryinfo") / "data").iterdir()
    countries = [json.loads(file.read_text("utf-8")) for file in files if file.name.endswith(".json")]
    rows = sorted(filter(None, map(row_of, countries)))
    shared = Counter(word for _, capital, adjectives in rows for word in {capital, *adjectives})
    lines = [HEAD.format(metadata.version("countryinfo"))]
    for name, capital, adjectives in rows:
        own = [word for word in adjectives if shared[word] == 1]  # Congolese, Dominican: of whom?
        lines.append(f"{name}\t{capital if shared[capital] == 1 else ''}\t{', '.join(own)}\n")
    page = "".join(lines)
    if "--print" in sys.argv:
        sys.stdout.write(page)
    else:
        TARGET.write_text(page, encoding="utf-8")


def row_of(country: dict) -> tuple[str, str, list[str]] | None:
    """Return name, capital and adjectives of a country, or None for what is too small or no country."""
    name = country["name"].removeprefix("The ")
    capital = country.get("capital") or ""
    adjectives = [word.strip() for word in (country.get("demonym") or "").split(",") if word.strip()]
    is_country = country.get("population", 0) >= LEAST_POPULATION and name not in GONE
    if not is_country or "(" in name or "," in name or not (capital or adjectives):
        return None
    return name, "" if capital == name else capital, [word for word in adjectives if word != name]


if __name__ == "__main__":
    main()
