"""One training loop and its two callers: pre-training on many sets, fine-tuning on a user's few series."""
