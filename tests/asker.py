"""Run as ``python asker.py CORPUS INDEX AT_LEAST``: opens the index anew for each question, until told to stop.

Says ``ready``, begins at the first line of standard input, and stops at its end. Prints a line of JSON an answer.
"""

import json
import select
import sys
from dataclasses import replace

from conftest import FakeEncoder
from cyberqa.session import Session
from cyberqa.settings import load_settings


def main(corpus: str, index: str, at_least: str) -> None:
    settings = replace(load_settings({"corpus": corpus, "index": index}, environ={}), model="fake")
    encoder = FakeEncoder()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    asked = 0
    while asked < int(at_least) or not select.select([sys.stdin], [], [], 0)[0]:
        with Session.open(settings, encoder) as session:
            answer = session.ask("which team met")
            said = [answer.index.generation, [passage.text for passage in answer.passages]]
            sys.stdout.write(json.dumps(said) + "\n")
        asked += 1


main(*sys.argv[1:])
