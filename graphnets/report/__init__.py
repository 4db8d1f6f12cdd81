"""A run as a page: what its files say, to be looked at."""
