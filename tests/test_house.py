"""The house as docs/architecture.md draws it: imports point left, docs tell the truth, versions agree."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from conftest import ROOT

PACKAGE = ROOT / "src" / "cyberqa"
ROOMS = [
    "types", "errors", "settings", "location", "languages", "corpus", "names", "documents", "sentences", "matching",
    "tables", "chunking", "embedding", "index", "ingest", "editing", "watching", "filtering", "retrieval", "duplicates",
    "judging", "surrounding", "answering", "session", "showing", "verifying", "diagnosing", "evaluation", "describing",
    "render", "cli",
]  # fmt: skip
NEVER_AT_THE_TOP = (
    "torch", "transformers", "sentence_transformers", "rich", "nupunkt", "py3langid", "pypdf", "pypdfium2", "docx",
    "lxml", "trafilatura", "countryinfo", "watchfiles",
)  # fmt: skip


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports_of(path: Path) -> list[tuple[str, bool]]:
    """Names imported by a module, and whether that happens at its top."""
    tree = ast.parse(path.read_text("utf-8"))
    found = []
    for node in ast.walk(tree):
        top = node in tree.body
        if isinstance(node, ast.Import):
            found += [(alias.name, top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"cyberqa.{alias.name}" for alias in node.names] if node.module == "cyberqa" else [node.module]
            found += [(name, top) for name in names]
    return found


MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if room_of(path) not in ("__init__", "__main__")]


def test_every_module_is_in_a_room_of_the_picture():
    assert {room_of(path) for path in MODULES} == set(ROOMS)
    picture = (ROOT / "docs" / "architecture.md").read_text("utf-8").split("```")[1]
    assert re.findall(r"\w+", picture) == ROOMS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_left(path):
    room = ROOMS.index(room_of(path))
    type_only = path.read_text("utf-8").split("if TYPE_CHECKING:")[1:]
    for name, _ in imports_of(path):
        if name.startswith("cyberqa.") and name != "cyberqa.__version__":
            target = name.split(".")[1]
            is_for_types = any(f"from {name} import" in part.split("\n\n")[0] for part in type_only)
            assert target in ROOMS
            assert ROOMS.index(target) <= room or is_for_types, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_where_they_are_used(path):
    assert not [name for name, top in imports_of(path) if top and name.split(".")[0] in NEVER_AT_THE_TOP]


def test_the_commands_page_is_what_help_says():
    made = subprocess.run(
        [sys.executable, ROOT / "docs" / "make_commands.py", "--print"], capture_output=True, text=True, check=True
    )
    assert made.stdout == (ROOT / "docs" / "commands.md").read_text("utf-8"), "run: make docs"


def test_version_and_changelog_agree():
    import cyberqa

    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert cyberqa.__version__ == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_every_dependency_is_pinned_and_torch_without_a_local_suffix():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").split())
    canonical = {re.sub(r"[-_.]+", "-", name).lower() for name in pins}
    for requirement in wanted:
        name = re.match(r"[\w-]+", requirement).group()
        assert re.sub(r"[-_.]+", "-", name).lower() in canonical
    assert pins["torch"] == "2.13.0"


def test_links_in_the_documents_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_file_map_of_the_readme_names_every_module():
    readme = (ROOT / "README.md").read_text("utf-8")
    for path in MODULES:
        assert f"`{path.relative_to(PACKAGE)}`" in readme or path.name in ("__init__.py", "__main__.py")
