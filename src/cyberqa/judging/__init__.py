"""A question and the passages found for it in; the sentences that answer, and whether they do, out.

Plain arrays and texts: only gathering.py knows how they are stored and ranked.
"""
