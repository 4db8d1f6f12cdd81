"""What `graphnets serve` is told before TensorFlow is imported, and what it hands on."""

import pytest
from click.testing import CliRunner

from graphnets.cli import serve as module
from graphnets.cli.commands import main
from graphnets.serving.options import ANY, LOCAL, ServeOptions


@pytest.fixture
def folder(tmp_path):
    for name in ("output_graph.pb", "output_labels.txt"):
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.fixture
def served(monkeypatch):
    """What is served: (graph, labels, entry, limits, access_log)."""
    calls = []
    monkeypatch.setattr(module, "_serve", lambda _, *given: calls.append(given))
    return calls


def run(*arguments, expect=0):
    result = CliRunner().invoke(main, ["serve", *map(str, arguments)])
    assert result.exit_code == expect, result.output
    return result.output


def test_an_output_dir_is_enough(folder, served):
    run(folder, "--port", 0)
    graph, labels, entry, limits, access_log = served[0]
    assert (graph, labels) == (str(folder / "output_graph.pb"), str(folder / "output_labels.txt"))
    assert (limits, access_log) == (ServeOptions(), False)
    assert entry.output_layer == "final_result"


def test_files_and_limits_may_be_named(folder, served):
    run("--graph", folder / "output_graph.pb", "--labels", folder / "output_labels.txt",
        "--port", 0, "--max-file-size", 2.5, "--max_waiting", 9, "--top_k", 1,
        "--output_layer", "softmax")  # fmt: skip
    _, _, entry, limits, _ = served[0]
    assert limits == ServeOptions(max_file_size=2.5, max_waiting=9, top_k=1)
    assert entry.output_layer == "softmax"


@pytest.mark.parametrize(
    "flags, hosts",
    [
        ([], LOCAL),
        (["--host", "localhost"], LOCAL),
        (["--host", "127.0.0.2"], (*LOCAL, "127.0.0.2")),
        (["--host", "0.0.0.0"], (ANY,)),
        (["--host", "0.0.0.0", "--allow_host", "a.example"], (*LOCAL, "a.example")),
        (["--allow_host", "a.example", "--allow_host", "b"], (*LOCAL, "a.example", "b")),
    ],
)
def test_the_names_that_it_is_called_by(folder, served, flags, hosts):
    run(folder, "--port", 0, *flags)
    assert served[0][3].hosts == hosts


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nowhere"], "nowhere/output_graph.pb cannot be read: No such file or directory"),
        ([], "no classifier; name the --output_dir of a `graphnets retrain`, or --graph and"),
        (["{}", "--input_std", 0], "input_std is 0, and the pixels are divided by it"),
        (["{}", "--model_name", "a:b"], "model_name is 'a:b', wanted a name without / and :"),
    ],
)
def test_mistakes_are_told_at_once(folder, served, arguments, message):
    output = run(*(str(a).format(folder) for a in arguments), expect=1)
    assert output.startswith(f"Error: {message}") and not served
