"""Folders of photos, their decoding, augmentation and reading ahead."""
