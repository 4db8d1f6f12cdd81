"""Whole jobs, from a folder of photos to files that a user keeps."""
