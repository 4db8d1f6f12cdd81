"""What the frozen layers give for each photo, computed once and kept on disk."""
