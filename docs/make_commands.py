"""Write docs/commands.md from the live ``--help``; ``--print`` writes to standard output instead."""

import os
import sys
from pathlib import Path

from typer.testing import CliRunner

from cyberqa.cli import app

COMMANDS = (
    "ask", "batch", "shell", "index", "add", "remove", "show", "status", "aliases", "verify", "doctor", "eval",
)  # fmt: skip
EVAL_COMMANDS = ("check", "run", "compare", "gate", "report", "export")
HEAD = """# Commands

Made from `--help` by `make docs`; a test fails when it is out of date.
"""


def main() -> None:
    """Render every command's help at a fixed width."""
    os.environ["COLUMNS"] = "100"
    parts = [HEAD]
    for command in ("", *COMMANDS, *(f"eval {name}" for name in EVAL_COMMANDS)):
        words = [*command.split(), "--help"]
        shown = CliRunner().invoke(app, words, prog_name="cyberqa").output.rstrip()
        parts.append(f"## cyberqa {command}".rstrip() + f"\n\n```text\n{shown}\n```\n")
    page = "\n".join(parts)
    if "--print" in sys.argv:
        sys.stdout.write(page)
    else:
        Path(__file__).with_name("commands.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
