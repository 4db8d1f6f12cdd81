import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from graphnets.cli.commands import main
from graphnets.cli.flags import ARCHITECTURES
from graphnets.cli.weights import FETCHED
from graphnets.networks.vgg16 import DECLARED
from graphnets.training import options, train
from graphnets.weights import places
from graphnets.weights.arrays import write_npz
from graphnets.weights.drawn import RandomWeights
from graphnets.zoo import architectures
from graphnets.zoo.fetch import SOURCES


def run(*arguments: object, expect: int = 0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == expect, result.output
    return result


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A file with VGG16's first convolutions: enough for conv1_1, and quick."""
    shapes = {layer.name: layer.parameter_shapes for layer in DECLARED.layers()[:2]}
    path = tmp_path_factory.mktemp("weights") / "first.npz"
    write_npz(path, RandomWeights(shapes))
    return path


@pytest.fixture
def network_flags(weights, tmp_path):
    return ["--architecture", "vgg16", "--weights", weights, "--endpoint", "conv1_1",
            "--bottleneck_dir", tmp_path / "bottleneck"]  # fmt: skip


@pytest.fixture
def retrain(photo_folder, network_flags, tmp_path):
    def retrain(*flags, expect=0):
        return run(
            "retrain", "--image_dir", photo_folder, *network_flags, "--output_dir",
            tmp_path / "out", "--summaries_dir", tmp_path / "logs", *flags, expect=expect,
        )  # fmt: skip

    return retrain


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--checkpoint_path", "say --checkpoint_dir DIR, and --checkpoint_every STEPS"),
    ],
)
def test_flags_of_retrain_py_that_are_not_taken_say_what_to_use(retrain, flag, message):
    output = retrain(flag, "https://tfhub.dev/x", expect=2).output
    assert f"Error: {flag} is retrain.py's and not taken; {message}" in output


@pytest.mark.parametrize("verbosity", ["info", "WARN", "ERROR", "FATAL"])
def test_logging_verbosity_says_less_and_the_report_all_the_same(retrain, photo_folder, verbosity):
    for path in sorted((photo_folder / "grass").iterdir())[:5]:
        path.unlink()
    output = retrain("--logging_verbosity", verbosity, "--how_many_training_steps", 5).output
    assert ("55 files in 3 classes" in output) == (verbosity == "info")
    assert ("warning: less than 20 photos" in output) == (verbosity in ("info", "WARN"))
    assert "test accuracy" in output


def test_retrain_then_predict(retrain, photo_folder, tmp_path):
    (photo_folder / "grass" / "notes.txt").write_text("green")
    output = retrain("--testing-percentage", 25, "--how_many_training_steps", 200).output
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["options"]["testing_percentage"] == 25
    assert (
        f"test accuracy {metrics['test_accuracy']:.1%} on {metrics['test_count']} photos" in output
    )
    assert "\n1 left out\n" in output
    assert "notes.txt: not a JPEG, PNG, BMP, GIF, PPM, WebP, TIFF, AVIF or HEIC picture" in output
    assert f"classifier  {tmp_path}/out/output_graph.pb" in output
    assert os.listdir(tmp_path / "logs") == ["run1"]

    flags = ["--graph", tmp_path / "out" / "output_graph.pb",
             "--labels", tmp_path / "out" / "output_labels.txt"]  # fmt: skip
    result = run("predict", *flags, "--json", "--top_k", 2, photo_folder)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 61
    [left_out] = [line for line in lines if "problem" in line]
    assert left_out["path"].endswith("notes.txt")
    predicted = [line for line in lines if "problem" not in line]
    assert set(predicted[0]) == {"path", "label", "score", "top"}
    assert predicted[0]["top"][0] == {key: predicted[0][key] for key in ("label", "score")}
    assert [len(line["top"]) for line in predicted] == [2] * 60
    truth = [line["path"].split(os.sep)[-2] for line in predicted]
    right = [line["label"] == label for line, label in zip(predicted, truth, strict=True)]
    assert np.mean(right) > 0.9
    assert "60 photos classified, 1 left out" in result.stderr

    photo = photo_folder / "grass" / "000.jpg"
    text = run("predict", *flags, photo).stdout.splitlines()
    assert text[0] == str(photo)
    assert text[1].endswith("  grass")
    assert len(text) == 1 + 3
    scores = [float(line.split()[0]) for line in text[1:]]
    assert scores == sorted(scores, reverse=True) and sum(scores) == pytest.approx(1, abs=1e-3)


def test_misclassified_photos_are_listed_on_request(retrain):
    flags = ("--how_many_training_steps", 1, "--learning_rate", 1e-6, "--testing_percentage", 40)
    assert "misclassified test photos" not in retrain(*flags).output
    output = retrain(*flags, "--print_misclassified_test_images").output
    count = int(output.split(" misclassified test photos")[0].split()[-1])
    assert count > 0
    listed = output.split("misclassified test photos\n")[1].split("\n\n")[0].splitlines()
    assert len(listed) == count
    assert all(".jpg: " in line for line in listed)


def test_an_accuracy_below_the_one_asked_for_is_a_failure_after_all_is_written(retrain, tmp_path):
    output = retrain("--assert_accuracy_at_least", 1.01, expect=1).output
    assert "wanted at least 1.01" in output
    assert (tmp_path / "out" / "output_graph.pb").exists()
    retrain("--assert_accuracy_at_least", 0.1)


def test_extract_writes_features_paths_and_labels(photo_folder, network_flags, tmp_path):
    output = run(
        "extract", "--image_dir", photo_folder, *network_flags, "--output", tmp_path / "f.npz"
    ).output
    assert "60 photos, 64 features of conv1_1" in output
    with np.load(tmp_path / "f.npz") as arrays:
        assert sorted(arrays.files) == ["features", "labels", "paths"]
        assert arrays["features"].shape == (60, 64) and arrays["features"].dtype == np.float32
        assert arrays["labels"][0] == "blue sky"
        assert arrays["paths"][0] == str(photo_folder / "blue sky" / "000.jpg")


def test_inspect_lists_vgg16_without_any_file():
    lines = run("inspect", "--architecture", "vgg16").output.splitlines()
    assert lines[1].split() == ["0", "conv1_1", "conv", *"n x 224 x 224 x 64".split(), "1,792"]
    assert lines[19].split() == ["18", "fc6", "fc", *"n x 4096".split(), "102,764,544"]
    assert lines[-1] == "22 layers, 138,357,544 parameters"


def test_fetch_list_says_what_is_known_and_where_it_lies(tmp_path):
    output = run("fetch", "--list", "--model-dir", tmp_path).output
    assert f"{tmp_path}/vgg16.npz\n  not fetched" in output
    assert f"{tmp_path}/classify_image_graph_def.pb\n  not fetched" in output


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["retrain"], 2, "Missing option '--image_dir'"),
        (["retrain", "--image_dir", "x", "--learning_rat", "1"], 2, "No such option"),
        (["retrain", "--image_dir", "x", "--unknown"], 2, "No such option"),
        (["retrain", "--image_dir", "x", "--architecture", "resnet"], 2, "resnet"),
        (["fetch"], 2, "name what to fetch: inception_v3, vgg16, alexnet, efficientnet"),
        (["retrain", "--image_dir", "x", "--weights", "y"], 1, "it takes --graph FILE.pb"),
        (["inspect", "--architecture", "vgg16", "--graph", "y"], 1, "vgg16 takes --weights"),
        (["retrain", "--image_dir", "x", "--model_dir", "none"], 1,
         "get them with `graphnets fetch inception_v3 --model_dir none`"),
        (["retrain", "--image_dir", "x", "--architecture", "vgg16", "--weights", "random"], 1,
         "Error: x is no folder; wanted one with a sub-folder of photos per class, or a table"),
        (["predict", "--graph", "none.pb", "photo.jpg"], 1, "none.pb cannot be read"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_a_sentence(arguments, status, message):
    result = run(*arguments, expect=status)
    assert message in result.output
    assert "Traceback" not in result.output


SLOW = ("tensorflow", "pandas", "sklearn")  # to import
RETRAIN = ["retrain", "--image_dir", "photos"]
RANDOM = ["--architecture", "vgg16", "--weights", "random"]
COMPARE = ["compare", "--image_dir", "photos", *RANDOM]
NO_FOLDER = (
    "nowhere is no folder; wanted one with a sub-folder of photos per class, or a table: .csv, "
    ".tsv or .parquet with the columns path and label, .npz or .p"
)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """Where photos/ has two classes, half/ an empty one besides a full one, and more."""
    place = tmp_path_factory.mktemp("place")
    for path in ("photos/a/1.jpg", "photos/b/1.jpg", "half/a/1.jpg", "graph.pb", "page.npz"):
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text("<html>")
    (place / "half" / "b").mkdir()
    return place


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*RETRAIN, "--how_many_training_steps", "0"],
         "how_many_training_steps is 0, wanted 1 or more"),
        ([*RETRAIN, "--learning_rate", "0"], "learning_rate is 0.0, wanted above 0"),
        ([*RETRAIN, "--head", "nonsense"],
         "got the head 'nonsense'; wanted 'linear', or '[flatten,]fc:UNITS[,dropout=SHARE]' with a "
         "share from 0 to below 1"),
        ([*RETRAIN, "--testing_percentage", "200"],
         "testing 200.0 % and validation 10.0 % leave nothing to train on; wanted percentages from "
         "0 whose sum is below 100"),
        ([*RETRAIN, "--rotation", "999"],
         "got rotation 999.0; wanted a number from 0 (off) to 180 degrees"),
        ([*RETRAIN, "--rotation", "9", "--augmented_copies", "0"],
         "augmented_copies is 0, and an augmentation is on; wanted 1 or more"),
        ([*RETRAIN, "--seed", "-1"], "seed is -1, wanted a whole number from 0 to 2^63 - 1"),
        ([*RETRAIN, "--checkpoint_every", "-1"], "checkpoint_every is -1, wanted 0 or more"),
        ([*RETRAIN, "--architecture", "vgg16", "--graph", "x.pb"],
         "--graph is for frozen graphs; vgg16 takes --weights"),
        ([*RETRAIN, "--weights", "y"],
         "--weights is not for inception_v3; it takes --graph FILE.pb"),
        ([*RETRAIN, "--architecture", "vgg16", "--model_dir", "none"],
         "the weights of vgg16 are not at none/vgg16.npz; get them with `graphnets fetch vgg16 "
         "--model_dir none`"),
        ([*RETRAIN, "--architecture", "vgg16", "--weights", "none.npz"],
         "none.npz: there is no such file"),
        ([*RETRAIN, "--architecture", "vgg16", "--weights", "page.npz"],
         "page.npz is a web page, not weights: download the file itself"),
        ([*RETRAIN, "--graph", "none.pb"], "none.pb cannot be read: No such file or directory"),
        (["retrain", "--image_dir", "nowhere", *RANDOM], NO_FOLDER),
        (["retrain", "--image_dir", "half", *RANDOM],
         "the class folder half/b has no photos, each class needs 3 or more: add photos or take "
         "the folder away"),
        (["retrain", "--image_dir", "photos/a", *RANDOM],
         "found 0 class folders with photos, wanted 2 or more: one sub-folder per class, named as "
         "the class, or two labels in a table"),
        (["retrain", "--images", "none.csv", *RANDOM],
         "none.csv cannot be read: No such file or directory"),
        ([*RETRAIN, *RANDOM, "--final_tensor_name", "a b"],
         "'a b' cannot name the output; wanted letters, digits, '_', '.', '/' or '-'"),
        ([*RETRAIN, *RANDOM, "--saved_model_dir", "photos"],
         "photos is there already; name a new folder for the SavedModel"),
        ([*RETRAIN, *RANDOM, "--output_dir", "graph.pb/x"],
         "graph.pb/x cannot be written to: Not a directory; name another folder"),
        ([*COMPARE, "--from", "fc8,fc8"],
         "got the depths fc8, fc8; wanted different layers, such as fc8, fc7: the first that "
         "trains"),
        ([*COMPARE, "--from", "fc8", "--output_dir", "graph.pb/x"],
         "graph.pb/x cannot be written to: Not a directory; name another folder"),
        ([*COMPARE, "--from", "fc8", "--image_dir", "nowhere"], NO_FOLDER),
        (["extract", "--image_dir", "nowhere", *RANDOM], NO_FOLDER),
        (["inspect", "--architecture", "vgg16", "--graph", "y"],
         "--graph is for frozen graphs; vgg16 takes --weights"),
        (["classify", "x.jpg", "--model_dir", "none"],
         "the weights of inception_v3 are not at none/classify_image_graph_def.pb; get them with "
         "`graphnets fetch inception_v3 --model_dir none`"),
        (["predict", "x.jpg", "--graph", "none.pb"],
         "none.pb cannot be read: No such file or directory"),
        (["explain", "x.jpg", "--output_dir", "out", "--graph", "none.pb"],
         "none.pb cannot be read: No such file or directory"),
        (["explain", "x.jpg", "--output_dir", "graph.pb/x", "--graph", "graph.pb", "--labels",
          "graph.pb"], "graph.pb/x cannot be written to: Not a directory; name another folder"),
        (["predict", "x.jpg", "--graph", "graph.pb", "--labels", "none.txt"],
         "none.txt cannot be read: No such file or directory"),
    ],
)  # fmt: skip
def test_mistakes_are_told_before_anything_slow_is_imported(workplace, arguments, message):
    code = (
        "import sys, graphnets.cli.commands\n"
        "try: graphnets.cli.commands.main(sys.argv[1:])\n"
        f"finally: print([m for m in {SLOW} if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=workplace, capture_output=True, text=True
    )
    assert result.stderr == f"Error: {message}\n"
    assert (result.returncode, result.stdout) == (1, "[]\n")


def test_the_options_are_made_without_anything_slow():
    code = (
        "import sys, graphnets\n"
        "graphnets.RetrainOptions(training=graphnets.TrainingOptions())\n"
        f"print([m for m in {(*SLOW, 'numpy')} if m in sys.modules])"
    )
    output = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert output == "[]\n"


def test_help_is_quick_and_tensorflow_is_not_imported_for_it():
    code = (
        "import sys, graphnets, graphnets.cli.commands\n"
        "try: graphnets.cli.commands.main(['retrain', '--help'])\n"
        "finally: print([m for m in ('tensorflow', 'pandas', 'numpy') if m in sys.modules])"
    )
    start = time.perf_counter()
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert time.perf_counter() - start < 2  # measured 0.1 s; this machine may be busy
    assert output.splitlines()[-1] == "[]"
    assert "--how_many_training_steps" in output


def test_the_module_runs_as_a_program_with_nothing_on_stderr(photo_folder, network_flags, tmp_path):
    command = [sys.executable, "-m", "graphnets", "extract", "--image_dir", photo_folder,
               *network_flags, "--output", tmp_path / "f.npz"]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stderr) == (0, "")
    assert "60 photos" in result.stdout


def test_the_names_that_the_commands_know_are_the_librarys():
    assert tuple(ARCHITECTURES) == architectures.ARCHITECTURES
    assert set(ARCHITECTURES) == {*places.FILES, "graph"}
    assert FETCHED == list(SOURCES)
    assert options.OPTIMIZERS == tuple(train.OPTIMIZERS)


@pytest.fixture(scope="session")
def alexnet_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("alexnet") / "bvlc_alexnet.npz"
    write_npz(path, RandomWeights(architectures.DECLARED["alexnet"].shapes()))
    return path


def test_convert_there_and_back(alexnet_file, tmp_path):
    output = run("convert", alexnet_file, tmp_path / "a.npy").output
    assert output.splitlines()[0] == "conv1     W (11, 11, 3, 96)  b (96,)"
    assert len(output.splitlines()) == 8
    old = np.load(tmp_path / "a.npy", encoding="latin1", allow_pickle=True).item()
    assert [array.shape for array in old["fc6"]] == [(9216, 4096), (4096,)]
    run("convert", tmp_path / "a.npy", tmp_path / "a.safetensors")
    run("convert", tmp_path / "a.safetensors", tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == alexnet_file.read_bytes()
    result = run("convert", alexnet_file, tmp_path / "a.txt", expect=1)
    assert result.output.startswith(f"Error: {tmp_path}/a.txt has no suffix of a weight format")


def test_fetch_takes_a_file_and_classify_uses_it(alexnet_file, photo_folder, tmp_path):
    place = ["--model_dir", tmp_path / "models"]
    output = run("fetch", "alexnet", "--file", alexnet_file, *place).output
    assert output.rstrip().endswith("no known checksum")
    photo = photo_folder / "grass" / "000.jpg"
    (photo_folder / "notes.txt").write_text("green")
    tops = []
    for name in ("alexnet", "alexnet_caffe"):
        result = run("classify", photo, photo_folder / "notes.txt", "--architecture", name, *place)
        first, *top = result.stdout.splitlines()
        assert first == str(photo) and len(top) == 5
        scores = [float(line.split()[0]) for line in top]
        assert scores == sorted(scores, reverse=True) and 0 < scores[0] <= 1
        assert "notes.txt: left out, not a JPEG" in result.stderr
        tops.append(top)
    assert tops[0] != tops[1]  # two readings of one file
    result = run("classify", photo, "--json", "--top_k", 2, "--architecture", "alexnet", *place)
    assert [len(json.loads(result.stdout)[key]) for key in ("top",)] == [2]


def test_fetch_takes_one_file_for_one_name(tmp_path):
    result = run("fetch", "alexnet", "vgg16", "--file", tmp_path / "x", expect=2)
    assert "--file goes with one name" in result.output


def test_classify_without_the_last_layers_says_what_is_missing(weights, photo_folder):
    photo = photo_folder / "grass" / "000.jpg"
    result = run("classify", photo, "--architecture", "vgg16", "--weights", weights, expect=1)
    assert result.output.startswith("Error: classify needs the weights of all layers of vgg16: ")


@pytest.mark.parametrize("name, total", [("alexnet", "60,965,224"), ("vgg16", "138,357,544")])
def test_inspect_needs_no_weights_for_declared_networks(name, total):
    last = run("inspect", "--architecture", name).output.splitlines()[-1]
    assert last.endswith(f"layers, {total} parameters")
