"""Heads, the training loop, and fine-tuning behind a cut."""
