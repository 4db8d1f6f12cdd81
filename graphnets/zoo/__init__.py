"""Pretrained networks by name: opening and fetching them, and what their classes are called."""
