"""What `doors` has, of predictions in parts."""

import graphnets as g

PARTS = [
    (
        "predict_parts",
        lambda w: g.predict_parts(None, w.root / "parts", w.graph, w.labels),
        "paths is None, wanted the path of a photo, or several",
    ),
    (
        "predict_parts",
        lambda w: g.predict_parts(w.folder, 3, w.graph, w.labels),
        "the folder for parts is 3, wanted the path of a folder",
    ),
    (
        "predict_parts",
        lambda w: g.predict_parts(w.folder, w.labels, w.graph, w.labels),
        "labels.txt cannot be written to: Not a directory; name another folder",
    ),
    (
        "predict_parts",
        lambda w: g.predict_parts(w.folder, w.root / "parts", 3, w.labels),
        "graph is 3, wanted the path of a frozen graph",
    ),
    (
        "predict_parts",
        lambda w: g.predict_parts(w.folder, w.root / "parts", w.graph, w.root / "none.txt"),
        "none.txt cannot be read: No such file or directory",
    ),
    (
        "predict_parts",
        lambda w: g.predict_parts(w.folder, w.root / "parts", w.graph, w.labels, {"top_k": 1}),
        "options is of the type dict, wanted a graphnets.PartOptions",
    ),
    (
        "predict_parts",
        lambda w: g.predict_parts(w.folder, w.root / "parts", w.graph, w.labels, progress=True),
        "progress is True, wanted a function such as tqdm.tqdm",
    ),
    (
        "predict_parts",
        lambda w: g.predict_parts(w.folder, "s3://bucket/parts", w.graph, w.labels),
        "s3:/.*is an address; only photos",
    ),
    ("PartOptions", lambda w: g.PartOptions(0), "top_k is 0, wanted 1 or more"),
    ("PartOptions", lambda w: g.PartOptions(part_size=1000), "is 1000, wanted a multiple of 16"),
    ("PartOptions", lambda w: g.PartOptions(part_size="16"), "part_size is '16', wanted a whole"),
    ("PartOptions", lambda w: g.PartOptions(part_format="csv"), "'csv', wanted 'jsonl' or 'parq"),
    ("PartOptions", lambda w: g.PartOptions(resume="no"), "resume is 'no', wanted True or False"),
]
