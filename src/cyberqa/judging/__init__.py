"""A question and the passages found for it in; the sentences that answer, and whether they do, out.

gathering.py alone opens a generation; the rest works on texts, arrays and Hits.
"""
