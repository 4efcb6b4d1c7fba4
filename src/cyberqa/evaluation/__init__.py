"""A gold set and a run in; measures with intervals, comparison, gate and report out.

Knows nothing of how hits are made.
"""
