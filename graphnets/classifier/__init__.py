"""The exported graph: writing it, and predicting with it."""
