"""Workers of this process that behave as a cluster's may."""

from __future__ import annotations

import pickle

from graphnets.workers import Workers


class Scattered(Workers):
    """Works the shards through backwards, each twice, on what has been pickled.

    given: the shards, as they came.
    """

    def __init__(self, shard=16):
        self.shard = shard
        self.given = []

    def each(self, opened, work, shared, shards):
        thing = opened(pickle.loads(pickle.dumps(shared)))
        self.given = list(shards)
        for number, shard in reversed(list(enumerate(self.given))):
            for _ in range(2):
                result = work(thing, pickle.loads(pickle.dumps(shard)))
            yield number, result
