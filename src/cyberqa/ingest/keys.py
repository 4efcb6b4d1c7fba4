"""What documents are cached by: all that a reading, and all that a parcel, follows from."""

import hashlib
import json
from pathlib import PurePosixPath

from cyberqa.documents.formats import suffix_of
from cyberqa.ingest.planning import Plan, printable


class Keys:
    """The keys of the documents of one plan."""

    def __init__(self, plan: Plan) -> None:
        recipe = plan.recipe
        self._plan = plan
        reading = {"rules": {**recipe.rules, "names": None, "size_chars": None}, "tools": recipe.tools}
        parcel = {
            "rules": recipe.rules,  # with the names that the user gives: tables are matched with them written out
            "tools": recipe.tools,
            "encoder": (*recipe.encoder.identity, recipe.encoder.runtime),
        }
        self._readings, self._parcels = (json.dumps(part, sort_keys=True) for part in (reading, parcel))

    def is_kept(self, id_: str) -> bool:
        """Whether a file has a reader and could be opened: what comes of any other is not cached."""
        about = self._plan.recipe.documents[printable(id_)]
        return about["reader"] is not None and about["sha256"] is not None

    def all_kept(self) -> tuple[list[bytes], list[bytes]]:
        """Return the keys of the readings and of the parcels of all documents."""
        ids = list(filter(self.is_kept, self._plan.state.documents()))
        return [self.reading(id_) for id_ in ids], [self.parcel(id_) for id_ in ids]

    def reading(self, id_: str) -> bytes:
        """Return the key of what is read of a file: its bytes, and the kind that its name gives it."""
        about = self._plan.recipe.documents[id_]
        return _digest("reading", self._readings, about["sha256"], about["reader"], suffix_of(id_))

    def parcel(self, id_: str) -> bytes:
        """Return the key of what a document brings: its name is the title where it has no other."""
        about = self._plan.recipe.documents[id_]
        metadata = json.dumps(about["metadata"], sort_keys=True)
        named = (suffix_of(id_), PurePosixPath(id_).stem)
        return _digest("parcel", self._parcels, about["sha256"], about["reader"], metadata, *named)


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode("utf-8")).digest()
