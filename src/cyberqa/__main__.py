"""``python -m cyberqa``."""

from cyberqa.cli import main

main()
