"""A classifier behind HTTP: a page, a JSON API, and what keeps them within bounds."""
