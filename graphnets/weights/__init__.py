"""Weight files: reading, checking, writing and converting them; no graph here."""
