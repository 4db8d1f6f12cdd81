"""Predictions in parts: those of one run to the bit, whole or not there, never mixed."""

import functools
import json
import os
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from elsewhere import Elsewhere
from tiny import LABELS, a_head, pixels, saved, tiny_network

from graphnets.classifier import export, parts
from graphnets.classifier.options import BATCH, InputOptions, PartOptions
from graphnets.classifier.parts import predict_parts
from graphnets.classifier.predict import Classifier
from graphnets.classifier.tables import Table, as_json
from graphnets.errors import GraphnetsError
from graphnets.photos import reading
from graphnets.workers import Workers, working

SMALL = PartOptions(top_k=2, part_size=16)
COUNT = 40  # photos that can be read; three parts


opened = functools.cache(Classifier)


@pytest.fixture(autouse=True)
def opened_once(monkeypatch):
    """Loading a graph takes longer than all that is tested here."""
    monkeypatch.setattr("graphnets.classifier.predict.Classifier", opened)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """42 files of 40 photos: two in the second part are none."""
    folder = tmp_path_factory.mktemp("parts") / "photos"
    folder.mkdir()
    for number in range(COUNT):
        saved(folder / f"{number:02d}.png", pixels(number))
    for name in ("20 broken.png", "21 broken.png"):
        (folder / name).write_text("no picture")
    return folder


@pytest.fixture
def predicted(own, photos, tmp_path, monkeypatch):
    """Write parts of the photos into a folder "out", which is here."""
    monkeypatch.chdir(tmp_path)

    def predicted(options=SMALL, paths=photos, **more):
        return predict_parts(paths, "out", own / "graph.pb", own / "labels.txt", options, **more)

    return predicted


@pytest.fixture
def expected(classifier, photos):
    """The rows of one run in one process: those of photos that could be read, and the others'."""
    found = [as_json(p) for p in classifier.predict(sorted(map(str, photos.iterdir())), 2)]
    good, bad = ([f for f in found if ("problem" in f) == wrong] for wrong in (False, True))
    return tuple("".join(f"{json.dumps(row)}\n" for row in rows) for rows in (good, bad))


def written(folder="out"):
    """{name: bytes} of all that is there, hidden files, too."""
    return {name: open(os.path.join(folder, name), "rb").read() for name in os.listdir(folder)}


def emptied(folder="out"):
    for name in written(folder):
        os.remove(os.path.join(folder, name))


def rows(names):
    return b"".join(open(name, "rb").read() for name in names).decode()


def killed(after):
    """`Table.add` that ends the run before a row is written, `after` rows behind the first."""
    add, left = Table.add, iter(range(after))

    def ending(self, prediction):
        if next(left, None) is None:
            raise KeyboardInterrupt
        add(self, prediction)

    return ending


def test_a_batch_is_as_large_as_that_of_the_reader():
    assert BATCH == reading.BATCH


def test_the_parts_are_one_run_in_pieces(predicted, expected):
    found = predicted()
    assert [file.name for file in found.files] == [f"part-0000{n}.jsonl" for n in range(3)]
    assert [file.name for file in found.problems] == ["problems-00001.jsonl"]
    assert (rows(found.files), rows(found.problems)) == expected
    assert rows(found.files[:1]).count("\n") == 16 and rows(found.files[1:2]).count("\n") == 14
    labels = Counter(json.loads(line)["label"] for line in expected[0].splitlines())
    assert (found.counts.labels, found.there) == (labels, 0)
    assert (found.counts.read, found.counts.left_out) == (COUNT, 2)
    assert set(written()) == {
        "parts.json", "problems-00001.jsonl", *(file.name for file in found.files)
    }  # fmt: skip


def test_the_network_sees_the_batches_of_one_run(predicted, classifier, photos, monkeypatch):
    run, seen = Classifier.run, []

    def watched(self, values):
        seen.append(values.tobytes())
        return run(self, values)

    monkeypatch.setattr(Classifier, "run", watched)
    list(classifier.predict(sorted(map(str, photos.iterdir()))))
    once, seen = seen, []
    predicted(PartOptions(part_size=32))
    assert sorted(seen) == sorted(once) and len(once) == 3


def test_parts_that_are_there_are_not_computed_again(predicted, reads):
    first, before = predicted(), written()
    os.remove("out/part-00002.jsonl")
    said, bars = [], []

    def bar(photos, total, unit):
        photos = list(photos)
        bars.append((len(photos), total, unit))
        return photos

    reads.clear()
    found = predicted(progress=bar, say=said.append)
    assert len(set(reads)) == 10 and bars == [(10, 10, "photos")]
    assert said == ["2 of 3 parts were there already"] and found.there == 2
    assert written() == before and found._replace(there=0) == first
    reads.clear()
    assert predicted()._replace(there=0) == first and not reads


def test_a_run_that_is_stopped_leaves_whole_parts_and_the_next_goes_on(predicted, monkeypatch):
    predicted()
    whole, said = written(), []
    emptied()
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Table, "add", killed(after=20))
        predicted(say=said.append)
    assert written() == {name: whole[name] for name in ("parts.json", "part-00000.jsonl")}
    assert said == ["1 of 3 parts are whole in out; the same command goes on from there"]
    assert predicted().there == 1 and written() == whole


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: b"",
        lambda text: b"\n".join(text.split(b"\n")[:3]) + b"\n",
        lambda text: text.replace(b"17.png", b"18.png"),
        lambda text: text.replace(b'"label"', b'"problem"'),
        lambda text: b"[" * 100_000,
        lambda text: b"[1]\n" + text,
        lambda text: b"\xff" + text,
    ],
)
def test_a_damaged_part_is_computed_again(predicted, spoil):
    predicted()
    before, said = written(), []
    with open("out/part-00001.jsonl", "wb") as file:
        file.write(spoil(before["part-00001.jsonl"]))
    assert predicted(say=said.append).there == 2 and written() == before
    assert said[0] == (
        "warning: part-00001.jsonl is not what was written there; it is computed again"
    )


def test_problems_that_are_gone_are_computed_again_and_old_ones_do_not_stay(
    predicted, photos, tmp_path
):
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("00.png", "20 broken.png"):
        (folder / name).write_bytes((photos / name).read_bytes())
    predicted(paths=folder)
    os.remove("out/problems-00000.jsonl")
    assert predicted(paths=folder).there == 0 and "problems-00000.jsonl" in written()
    saved(folder / "20 broken.png", pixels(3))
    os.remove("out/part-00000.jsonl")
    found = predicted(paths=folder)
    assert found.counts.read == 2 and set(written()) == {"parts.json", "part-00000.jsonl"}


def test_parquet_has_the_columns_of_a_table(predicted, expected):
    options = PartOptions(top_k=2, part_size=16, part_format="parquet")
    found = predicted(options)
    frame = pd.concat(map(pd.read_parquet, found.files))
    wanted = [json.loads(line) for line in expected[0].splitlines()]
    assert list(frame.path) == [row["path"] for row in wanted]
    assert list(frame.label) == [row["label"] for row in wanted]
    np.testing.assert_array_equal(frame.score, np.float32([row["score"] for row in wanted]))
    assert rows(found.problems) == expected[1] and found.problems[0].suffix == ".jsonl"
    again = predicted(options)
    assert again.there == 3 and again.counts == found.counts
    data = written()["part-00000.parquet"]
    with open("out/part-00000.parquet", "wb") as file:
        file.write(data[:-100])
    assert predicted(options).there == 2 and written()["part-00000.parquet"] == data


def test_counts_of_parts_that_are_there_are_those_of_several_labels(photos, tmp_path):
    head = a_head()._replace(independent=True, thresholds=np.float32([0.5, 0.9, 0.1]))
    export.write_graph(
        tmp_path / "g.pb", export.classifier_graph_def(tiny_network(), ["conv2"], head)
    )
    export.write_labels(tmp_path / "l.txt", LABELS)
    for ending in ("jsonl", "parquet"):
        options = PartOptions(part_size=16, part_format=ending)
        arguments = photos, tmp_path / ending, tmp_path / "g.pb", tmp_path / "l.txt", options
        first, again = predict_parts(*arguments), predict_parts(*arguments)
        assert again.there == 3 and again.counts == first.counts
        assert sum(first.counts.labels.values()) + first.counts.none > 0


def test_names_that_are_no_utf_8_are_found_again(predicted, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    saved(folder / os.fsdecode(b"\xff.png"), pixels(1))
    for ending in ("jsonl", "parquet"):
        options = PartOptions(part_format=ending, resume=False)
        predicted(options, folder)
        assert predicted(PartOptions(part_format=ending), folder).there == 1


def test_workers_write_the_same_parts_in_any_order_and_twice(
    predicted, photos, tmp_path, tmp_path_factory
):
    (tmp_path / "linked").symlink_to(photos)
    alone, before = predicted(paths="linked"), written()
    emptied()
    with working(Elsewhere(tmp_path_factory.mktemp("elsewhere"))):
        assert predicted(paths="linked") == alone
    assert written() == before


@pytest.mark.parametrize(
    "spoil, message",
    [
        ("graph.pb", "graph.pb is another file to a worker, or has changed since; wanted the same"),
        ("labels.txt", "labels.txt is another file to a worker, or has changed since"),
        ("out/parts.json", "out is another folder to a worker, or has another job's parts.json"),
        ("photos/0.png", "a worker cannot open photos/0.png, which is here .No such file"),
    ],
)
def test_a_worker_that_sees_other_files_writes_nothing(own, tmp_path, monkeypatch, spoil, message):
    monkeypatch.chdir(tmp_path)
    os.mkdir("photos")
    saved("photos/0.png", pixels(1))
    for name in ("graph.pb", "labels.txt"):
        (tmp_path / name).write_bytes((own / name).read_bytes())

    class Other(Workers):
        def each(self, opened, work, shared, shards):
            if spoil.endswith((".json", ".png")):
                os.remove(spoil)
            else:
                with open(spoil, "ab") as file:
                    file.write(b"\n")
            yield 0, work(opened(shared), next(iter(shards)))

    with working(Other()), pytest.raises(GraphnetsError, match=message):
        predict_parts("photos", "out", "graph.pb", "labels.txt")
    assert not any(name.startswith("part-") for name in os.listdir("out"))


def changed(own, tmp_path, name):
    data = (own / name).read_bytes()
    (tmp_path / name).write_bytes(data + b"\n" if name == "labels.txt" else data + b"\x0a\x00")
    return tmp_path / name


@pytest.mark.parametrize(
    "change, differs",
    [
        (lambda a, own, t: a | {"graph": changed(own, t, "graph.pb")}, "the graph"),
        (lambda a, own, t: a | {"labels": changed(own, t, "labels.txt")}, "the labels"),
        (
            lambda a, own, t: a | {"photos": [*a["photos"][1:], a["photos"][0]]},
            "the list of photos",
        ),
        (lambda a, own, t: a | {"photos": a["photos"][1:]}, "the list of photos"),
        (lambda a, own, t: a | {"options": PartOptions(1, 32)}, "top_k and part_size"),
        (lambda a, own, t: a | {"options": PartOptions(2, 16, "parquet")}, "part_format"),
        (
            lambda a, own, t: a | {"entry": InputOptions(input_mean=1)},
            "how photos enter the graph",
        ),
    ],
)
def test_parts_of_another_job_are_refused_and_stay(own, photos, tmp_path, change, differs):
    arguments = {
        "photos": sorted(photos.iterdir()), "graph": own / "graph.pb", "labels": own / "labels.txt",
        "folder": tmp_path / "out", "options": SMALL, "entry": None,
    }  # fmt: skip
    predict_parts(**arguments)
    before = written(tmp_path / "out")
    message = f"out has parts of another job, which differs in {differs}; name another folder, or"
    with pytest.raises(GraphnetsError, match=message):
        predict_parts(**change(arguments, own, tmp_path))
    assert written(tmp_path / "out") == before


def test_without_resume_all_parts_are_replaced(predicted, photos, own, monkeypatch):
    predicted()
    found = predicted(PartOptions(top_k=1, part_size=32, resume=False))
    assert found.there == 0 and len(found.files) == 2
    assert set(written()) == {
        "parts.json", "part-00000.jsonl", "part-00001.jsonl", "problems-00000.jsonl"
    }  # fmt: skip
    monkeypatch.setattr(parts, "__version__", "0.0.9")
    with pytest.raises(GraphnetsError, match="which differs in graphnets' version; name"):
        predicted(PartOptions(top_k=1, part_size=32))


def test_a_job_that_never_came_to_a_part_may_be_another_now(predicted):
    with pytest.raises(GraphnetsError, match="has no 'wrong'"):
        predicted(entry=InputOptions("wrong"))
    assert set(written()) == {"parts.json"}
    assert predicted().counts.read == COUNT


def test_of_two_jobs_that_begin_in_one_folder_one_is_refused(predicted):
    def other_begins(photos, **_):
        photos = iter(photos)
        yield next(photos)
        os.rename("out/part-00000.jsonl", "aside")
        predicted(PartOptions(top_k=1, part_size=16))
        yield from photos

    with pytest.raises(GraphnetsError, match="or has another job's parts.json now; name one that"):
        predicted(progress=other_begins)
    assert predicted(PartOptions(top_k=1, part_size=16)).there == 3


def test_a_folder_of_other_files_is_refused(predicted):
    os.mkdir("out")
    for name, text, message in (
        ("notes.txt", "mine", "out has no parts.json and holds notes.txt; name a new folder"),
        ("parts.json", "[]", "out/parts.json does not describe parts; name a new folder"),
        ("parts.json", '{"graph": 1}', "out/parts.json does not describe parts"),
        ("parts.json", "{" * 9, "out/parts.json does not describe parts"),
    ):
        with open(f"out/{name}", "w") as file:
            file.write(text)
        for resume in (True, False):
            with pytest.raises(GraphnetsError, match=message):
                predicted(PartOptions(resume=resume))
        assert written()[name] == text.encode()


def test_photos_that_make_no_parts_are_refused(predicted, photos, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(GraphnetsError, match="^no photo could be classified; wanted readable"):
        predicted(paths=tmp_path / "empty")
    with pytest.raises(GraphnetsError, match="a.MP4 is a video, and parts are of photos alone;"):
        predicted(paths=[photos, "a.MP4"])
    with pytest.raises(GraphnetsError, match="folder for parts is out, in or around .*read as ph"):
        predicted(paths=tmp_path)
    assert not os.path.exists("out") or not written()


def test_photos_that_cannot_be_read_leave_a_part_without_rows(predicted, photos):
    for ending in ("jsonl", "parquet"):
        options = PartOptions(part_format=ending, resume=False)
        found = predicted(options, photos / "20 broken.png")
        assert (found.counts.read, found.counts.left_out, found.there) == (0, 1, 0)
        assert predicted(PartOptions(part_format=ending), photos / "20 broken.png").there == 1
