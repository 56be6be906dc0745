"""The pre-training corpus: a memory-mapped store of many sets, and endless few-shot episodes drawn from it."""
