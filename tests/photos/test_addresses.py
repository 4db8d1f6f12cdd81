"""Lists of photos at addresses, and of photos at addresses: those of a local folder; refusals."""

import io
import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from graphnets.errors import GraphnetsError
from graphnets.photos.folders import photo_paths
from graphnets.photos.listing import scan

NAMES = [f"{label}/{number}.png" for label in "ab" for number in range(4)]
AT = "memory://bucket/set"


def picture(number):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (number, 9, 9)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(memory, tmp_path):
    """Eight photos, on the disk and at AT."""
    for number, name in enumerate(NAMES):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
        memory.pipe(f"/bucket/set/{name}", picture(number))
    return tmp_path / "set"


def mixed(folder):
    """Of the same photos relative rows, local ones and addresses."""
    places = ["", f"{folder}/", f"{AT}/"]
    rows = [(f"{places[number % 3]}{name}", name[0]) for number, name in enumerate(NAMES)]
    return pd.DataFrame(rows, columns=["path", "label"])


@pytest.mark.parametrize("name", ["list.csv", "list.tsv", "list.parquet"])
def test_a_list_at_an_address_may_name_photos_anywhere(memory, folder, name):
    table, buffer = mixed(folder), io.BytesIO()
    if name.endswith("parquet"):
        table.to_parquet(buffer)
    else:
        table.to_csv(buffer, index=False, sep="\t" if name.endswith("tsv") else ",")
    memory.pipe(f"/bucket/set/{name}", buffer.getvalue())
    found = scan(f"{AT}/{name}")
    wanted = [path if ":" in path or path[0] == "/" else f"{AT}/{path}" for path in table.path]
    assert sorted(found.path) == sorted(wanted) and set(found.problem) == {""}
    assert dict(zip(found.path.str[-7:], found.key, strict=True)) == dict(
        zip(scan(folder).path.str[-7:], scan(folder).key, strict=True)
    )


def test_a_local_list_may_begin_at_an_address(memory, folder):
    table = folder.parent / "list.csv"
    mixed(folder).to_csv(table, index=False)
    found = scan(table, image_root=f"{AT}/")
    assert sum(path.startswith(AT) for path in found.path) == 5
    memory.rm_file("/bucket/set/a/0.png")
    gone = scan(table, image_root=AT)
    [left_out] = gone[gone.problem != ""].itertuples()
    assert left_out.path == f"{AT}/a/0.png"
    assert left_out.problem == "cannot be opened (No such file or directory)"


@pytest.mark.parametrize(
    "data, name, message",
    [
        (None, "none.csv", "set/none.csv cannot be read: No such file or directory"),
        (None, "none.parquet", "set/none.parquet cannot be read: No such file or directory"),
        (b"PAR1", "t.parquet", "set/t.parquet is no parquet file .*; wanted a table"),
        (b"", "t.csv", "set/t.csv is empty; wanted a table"),
        (b"path,label\n", "t.csv", "set/t.csv has no rows; wanted one a photo"),
        (None, "none", "memory://bucket/set/none is no folder"),
    ],
)
def test_what_is_no_list_is_told_with_its_address(memory, folder, data, name, message):
    if data is not None:
        memory.pipe(f"/bucket/set/{name}", data)
    with pytest.raises(GraphnetsError, match=message):
        scan(f"{AT}/{name}")


def test_arrays_are_laid_out_on_this_machine_alone(memory, folder, tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, X=np.zeros((6, 8, 8, 3), np.uint8), y=np.array([0, 0, 0, 1, 1, 1]))
    memory.pipe("/bucket/set/t.npz", buffer.getvalue())
    (tmp_path / "t.npz").write_bytes(buffer.getvalue())
    message = "t.npz has arrays, .*: copy it to this machine, and name a local --image_root"
    for images, root in ((f"{AT}/t.npz", None), (tmp_path / "t.npz", AT)):
        with pytest.raises(GraphnetsError, match=message):
            scan(images, image_root=root)
    assert len(memory.find("/bucket")) == 9 and sorted(os.listdir(tmp_path)) == ["set", "t.npz"]


def test_files_and_folders_at_any_depth_come_in_the_order_of_local_ones(memory, folder):
    for name in (".hidden.png", ".git/0.png", "Thumbs.db", "a/deep/0.png", "a-b/0.png"):
        memory.pipe(f"/bucket/set/{name}", b"")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    found = list(photo_paths([f"{AT}/b/1.png", AT, f"{AT}/none.png"]))
    local = list(photo_paths([folder / "b/1.png", folder, folder / "none.png"]))
    assert found == [path.replace(str(folder), AT) for path in local]
    assert len(found) == 2 + len(NAMES) + 2
