"""One question to one peer, as its user would ask it: a process that opens what is on disk, and answers.

    .venv-peers/bin/python benchmarks/peers/ask_one.py PEER FOLDER            # asks
    .venv-peers/bin/python benchmarks/peers/ask_one.py PEER FOLDER --build    # makes what is opened

With the settings of run_peers.py; benchmarks/cold_peers.py times it.
"""

import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from run_peers import DEPTH, MODEL, ROOT, windows

QUESTION = "who supported ALCIRT's creation"


def texts() -> dict[str, str]:
    """Return the five reports."""
    return {path.name: path.read_bytes().decode("utf-8") for path in sorted((ROOT / "corpus").glob("*.txt"))}


def langchain(folder: str, build: bool) -> str:
    """FAISS behind RecursiveCharacterTextSplitter."""
    from langchain_community.vectorstores import FAISS
    from langchain_huggingface import HuggingFaceEmbeddings

    model = HuggingFaceEmbeddings(model_name=MODEL)
    if not build:
        store = FAISS.load_local(folder, model, allow_dangerous_deserialization=True)
        return store.similarity_search(QUESTION, k=DEPTH)[0].page_content
    from langchain_core.documents import Document
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
    FAISS.from_documents(splitter.split_documents([Document(t) for t in texts().values()]), model).save_local(folder)
    return ""


def llamaindex(folder: str, build: bool) -> str:
    """Its own vector store behind SentenceSplitter."""
    from llama_index.core import Document, StorageContext, VectorStoreIndex, load_index_from_storage
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    model = HuggingFaceEmbedding(model_name=MODEL)
    if not build:
        index = load_index_from_storage(StorageContext.from_defaults(persist_dir=folder), embed_model=model)
        return index.as_retriever(similarity_top_k=DEPTH).retrieve(QUESTION)[0].node.get_content()
    documents = [Document(text=text) for text in texts().values()]
    index = VectorStoreIndex.from_documents(documents, transformations=[SentenceSplitter()], embed_model=model)
    index.storage_context.persist(folder)
    return ""


def txtai(folder: str, build: bool) -> str:
    """Hybrid search over windows of 900 characters."""
    from txtai import Embeddings

    if not build:
        embeddings = Embeddings()
        embeddings.load(folder)
        return str(embeddings.search(QUESTION, DEPTH)[0])
    embeddings = Embeddings(path=MODEL, hybrid=True, content=True)
    embeddings.index([text[start:end] for text in texts().values() for start, end in windows(text, 900)])
    embeddings.save(folder)
    return ""


PEERS = {"langchain": langchain, "llamaindex": llamaindex, "txtai": txtai}

if __name__ == "__main__":
    name, place = sys.argv[1:3]
    Path(place).mkdir(parents=True, exist_ok=True)
    print(PEERS[name](place, "--build" in sys.argv))
