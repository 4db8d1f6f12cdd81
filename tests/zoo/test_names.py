"""The class names: the right ones, in the right order, found wherever the package lies."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import graphnets
from graphnets.errors import GraphnetsError
from graphnets.jobs import signs
from graphnets.zoo import names

REPOSITORY = Path(__file__).parents[2]
WEIGHTS = REPOSITORY / "weights"

# Synset, its name, output of AlexNet and VGG16, target_class in Inception's
# imagenet_2012_challenge_label_map_proto.pbtxt.
KNOWN = [
    ("n01440764", "tench, Tinca tinca", 0, 449),
    ("n01443537", "goldfish, Carassius auratus", 1, 450),
    (
        "n01882714",
        "koala, koala bear, kangaroo bear, native bear, Phascolarctos cinereus",
        105,
        213,
    ),
    ("n01910747", "jellyfish", 107, 647),
    ("n02119789", "kit fox, Vulpes macrotis", 278, 1),
    ("n02510455", "giant panda, panda, panda bear, coon bear, Ailuropoda melanoleuca", 388, 169),
    ("n02823428", "beer bottle", 440, 777),
    ("n02869837", "bonnet, poke bonnet", 452, 805),
    ("n03255030", "dumbbell", 543, 1000),
    ("n09428293", "seashore, coast, seacoast, sea-coast", 978, 367),
    ("n10565667", "scuba diver", 983, 982),
    ("n11939491", "daisy", 985, 357),
    ("n12620546", "hip, rose hip, rosehip", 989, 328),
    ("n13044778", "earthstar", 995, 878),
    ("n15075141", "toilet tissue, toilet paper, bathroom tissue", 999, 889),
]


@pytest.mark.parametrize("synset, name, output, inception", KNOWN)
def test_a_class_has_its_name_at_its_output_in_both_orders(synset, name, output, inception):
    assert names.imagenet_names()[output] == name
    assert names.inception_names()[inception] == name
    row = pd.read_csv(WEIGHTS / "imagenet_classes.csv").iloc[output]
    assert list(row) == [synset, name, inception]


def test_the_thousand_classes_are_in_the_order_of_their_synsets():
    table = pd.read_csv(WEIGHTS / "imagenet_classes.csv")
    assert list(table.columns) == ["synset", "names", "inception_2015"]
    assert len(table) == table.synset.nunique() == 1000
    assert table.synset.is_monotonic_increasing
    assert table.synset.str.fullmatch("n[0-9]{8}").all()
    assert list(table.names) == names.imagenet_names()
    assert table.names[table.names.duplicated(keep=False)].to_dict() == {134: "crane", 517: "crane"}


def test_inceptions_1008_outputs_are_the_same_classes_and_eight_unused_ones():
    found = names.inception_names()
    assert len(found) == 1008
    assert sorted(found[1:1001]) == sorted(names.imagenet_names())
    assert [found[0], *found[1001:]] == [f"(unused {i})" for i in (0, *range(1001, 1008))]
    assert list(pd.read_csv(WEIGHTS / "imagenet_classes.csv").inception_2015.sort_values()) == list(
        range(1, 1001)
    )


def test_the_traffic_signs_are_those_that_the_library_draws():
    assert names.sign_names() == list(signs.NAMES)
    table = pd.read_csv(WEIGHTS / "signnames.csv")
    assert list(table.columns) == ["ClassId", "SignName"]
    assert list(table.ClassId) == list(range(43))
    assert list(table.SignName) == list(signs.NAMES)


def test_the_words_travel_with_their_licence():
    text = (WEIGHTS / "wordnet_license.txt").read_text()
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in text
    assert 'PROVIDED "AS IS"' in text


READ = """
import sys
from graphnets.zoo import names
assert "tensorflow" not in sys.modules and "numpy" not in sys.modules
print(names.__file__)
print(len(names.imagenet_names()), len(names.inception_names()), names.sign_names()[14])
"""


@pytest.mark.parametrize("folder", ["weights", "graphnets/names_data"])
def test_a_checkout_and_an_installed_package_find_them(tmp_path, folder):
    """In a bare interpreter: neither TensorFlow nor NumPy is there to be imported."""
    (tmp_path / "graphnets" / "zoo").mkdir(parents=True)
    for module in ("__init__.py", "errors.py", "forks.py", "zoo/__init__.py", "zoo/names.py"):
        shutil.copy(Path(graphnets.__file__).parent / module, tmp_path / "graphnets" / module)
    shutil.copytree(WEIGHTS, tmp_path / folder)
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = [{str(tmp_path)!r}]"]
    command[-1] += READ
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == [str(tmp_path / "graphnets/zoo/names.py"), "1000 1008 Stop"]


def test_the_wheel_has_them(tmp_path):
    """As `build_py` lays out what goes into a wheel."""
    for name in ("graphnets", "weights"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    for name in ("setup.py", "README.md"):
        shutil.copy(REPOSITORY / name, tmp_path)
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", "lib"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    data = tmp_path / "lib" / "graphnets" / "names_data"
    assert sorted(path.name for path in data.iterdir()) == [
        "imagenet_classes.csv", "signnames.csv", "wordnet_license.txt",
    ]  # fmt: skip
    for path in data.iterdir():
        assert path.read_bytes() == (WEIGHTS / path.name).read_bytes()


@pytest.mark.parametrize("read", [names.imagenet_names, names.inception_names])
def test_a_missing_file_is_told_with_where_it_was_looked_for(tmp_path, monkeypatch, read):
    monkeypatch.setattr(names, "FOLDERS", (tmp_path / "names_data", tmp_path / "weights"))
    with pytest.raises(GraphnetsError) as caught:
        read()
    assert str(caught.value) == (
        f"imagenet_classes.csv is neither in {tmp_path}/names_data nor in {tmp_path}/weights; "
        "install graphnets again"
    )
