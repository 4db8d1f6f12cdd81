"""The README's Python is run as it stands there, on small photos and networks."""

import re
from contextlib import contextmanager
from pathlib import Path

import graphs
import pytest
import tensorflow.compat.v1 as tf
from spreading import Scattered
from world import write_photos

import graphnets
from graphnets.cli.commands import main
from graphnets.networks import alexnet, efficientnet
from graphnets.weights.drawn import RandomWeights
from graphnets.workers import working
from graphnets.zoo import architectures

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
GRAD_CAM, INCEPTION, CUT, UNFROZEN, COURSE, ENDPOINTS, PLAIN_TF1, TEN_LINES, ON_RAY = re.findall(
    r"```python\n(.*?)```", README, re.DOTALL
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    write_photos(tmp_path / "flower_photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(code: str) -> dict:
    """What a block defines that knows nothing but what stands in it."""
    names: dict = {}
    code = code.replace("tf.disable_v2_behavior()\n", "")  # it would last
    with tf.Graph().as_default():
        exec(compile(code, "README.md", "exec"), names)
        names["trainable"] = [v.op.name for v in tf.trainable_variables()]
    return names


def test_the_tutorials_way_into_inception(here):
    graphs.write(here / "classify_image_graph_def.pb", graphs.inception_like())
    found = run(INCEPTION)
    assert found["bottleneck"].name == "pool_3/_reshape:0"
    assert found["jpeg"].dtype == tf.string
    assert found["images"].shape.rank == 4


def test_the_heat_of_a_class_in_a_graph_of_ones_own(monkeypatch):
    weights = RandomWeights(efficientnet.LITE0.shapes())
    monkeypatch.setattr("graphnets.networks.declared.weight_file", lambda name: f"{name}.npz")
    monkeypatch.setattr("graphnets.networks.declared.read_weights", lambda path: weights)
    assert run(GRAD_CAM)["heat"].shape.as_list() == [None, 7, 7]


def test_training_behind_a_cut(here, monkeypatch, capsys):
    small = architectures.open_network("vgg16", "random")
    monkeypatch.setattr("graphnets.zoo.architectures.open_network", lambda name: small)
    write_photos(here / "flower_photos", per_class=3)
    for path in sorted((here / "flower_photos").glob("*/*"))[3:]:
        if path.stem not in ("000", "001", "002"):
            path.unlink()  # a pass of VGG16 takes its time
    (here / "flower_photos" / "grass" / "damaged.jpg").write_text("no picture")
    found = run(CUT.replace("/tmp/bottleneck", str(here / "bottleneck")))
    assert found["at_cut"][[0, 1]].shape == (2, 14, 14, 512) and len(found["at_cut"]) == 9
    assert capsys.readouterr().out.startswith("['VGG16/conv5_1/W', 'VGG16/conv5_1/b', 'VGG16/conv5")


def test_un_freezing_a_graph(here):
    graphs.write(here / "classify_image_graph_def.pb", graphs.inception_like())
    found = run(UNFROZEN)
    assert set(found["values"]) == set(found["names"]) and len(found["names"]) == 6
    assert found["tuned"] == found["graph_def"]  # no step was taken


def test_the_courses_code_and_training_from_a_layer_on(here, monkeypatch):
    weights = RandomWeights(alexnet.COURSE.shapes())
    monkeypatch.setattr("graphnets.networks.declared.weight_file", lambda name: f"{name}.npz")
    monkeypatch.setattr("graphnets.networks.declared.read_weights", lambda path: weights)
    found = run(COURSE)
    assert found["logits"].shape.as_list() == [None, 43]
    trainable = run(ENDPOINTS)["trainable"]
    assert trainable == [f"AlexNet/{layer}/{role}" for layer in ("fc7", "fc8") for role in "Wb"]


def test_the_same_in_plain_tf1(here, network, monkeypatch, capsys):
    monkeypatch.setattr("graphnets.zoo.architectures.open_network", lambda name: network)
    code = PLAIN_TF1.replace("/tmp/bottleneck", str(here / "bottleneck"))
    run(code.replace("conv4_3,conv5_3", "conv1,conv2"))
    accuracy = float(re.fullmatch(r"test accuracy (\S+)\n", capsys.readouterr().out)[1])
    assert accuracy > 0.8  # the colours are easy to tell apart


def test_the_lines_that_run_a_classifier_anywhere(here, network, capsys):
    options = graphnets.RetrainOptions(
        output_dir="flowers", bottleneck_dir=here / "bottleneck", summaries_dir=None
    )
    graphnets.retrain("flower_photos", network, options)
    Path("rose.jpg").write_bytes(Path("flower_photos/red_roof/000.jpg").read_bytes())
    run(TEN_LINES)
    label, score = capsys.readouterr().out.rsplit(maxsplit=1)
    assert label == "red_roof" and 1 / 3 < float(score) <= 1


def test_training_with_the_photos_on_a_cluster(here, monkeypatch, capsys):
    @contextmanager
    def on_ray(address, num_cpus):
        workers = Scattered()
        workers.retried = 0
        with working(workers):
            yield workers

    monkeypatch.setattr("graphnets.ray_workers.on_ray", on_ray)
    graphs.write(here / "small.pb", graphs.inception_like())
    code = ON_RAY.replace('"efficientnet_lite0"', '"inception_v3", "small.pb"')
    code = code.replace('"run", ', '"run", summaries_dir=None, report=False, ')
    found = run(code.replace("/shared/photos", "flower_photos").replace("/shared/", ""))
    assert found["result"].metrics["test_count"] > 3
    assert capsys.readouterr().out == "0 shards were run again\n"


def test_every_flag_and_command_that_is_named_is_there():
    known = {
        flag
        for command in main.commands.values()
        for parameter in command.params
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    named = set(re.findall(r"--[a-z][a-z_]+", README.partition("## Your photos")[2])) - {"--help"}
    named -= {"--image", "--logdir", "--no", "--address", "--runner"}  # other tools'
    named -= {flag for flag in named if flag.startswith("--direct_")}  # Beam's
    assert len(named) > 10 and named <= known
    assert set(re.findall(r"\| `graphnets (\w+)", README)) == set(main.commands)
