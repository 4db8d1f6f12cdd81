"""What a process that is started by another runs: all of it has to be found by its name."""


def scores_of(classifier, paths):
    """The scores of each photo."""
    return [classifier.scores(path) for path in paths]
