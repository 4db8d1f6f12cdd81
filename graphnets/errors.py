"""The one exception that graphnets raises for input that it cannot use."""


class GraphnetsError(ValueError):
    """Bad input, told in one sentence: what was got, what was wanted, what to do."""


class PhotoError(GraphnetsError):
    """One photo cannot be read; the sentence does not name the file, its caller does."""
