import pytest

from graphnets.errors import GraphnetsError
from graphnets.serving import options
from graphnets.serving.options import ServeOptions, check_installed


@pytest.mark.parametrize(
    "change, message",
    [
        ({"max_files": 0}, "max_files is 0, wanted 1 or more"),
        ({"max_waiting": 1.5}, "max_waiting is 1.5, wanted a whole number"),
        ({"timeout": 0}, "timeout is 0, wanted a number above 0"),
        ({"max_memory": float("nan")}, "max_memory is nan, wanted a number above 0"),
        ({"max_file_size": "20"}, "max_file_size is '20', wanted a number above 0"),
        ({"max_memory": 9}, "--max_request_size is 100, wanted no more than --max_memory, 9"),
        (
            {"max_file_size": 200.0},
            "--max_file_size is 200, wanted no more than --max_request_size, 100",
        ),
        ({"hosts": "photos.example"}, "hosts is 'photos.example', wanted a list of names"),
        ({"model_name": "a/b"}, "model_name is 'a/b', wanted a name without / and :"),
        ({"model_name": ""}, "model_name is '', wanted a name without / and :"),
    ],
)
def test_limits_that_are_none_are_told(change, message):
    with pytest.raises(GraphnetsError) as error:
        ServeOptions(**change)
    assert str(error.value) == message


def test_a_missing_library_is_named_with_the_extra_that_brings_it(monkeypatch):
    check_installed()
    monkeypatch.setattr(options, "LIBRARIES", ("starlette", "no_such_server"))
    with pytest.raises(GraphnetsError, match="^a server takes no_such_server; pip install 'graph"):
        check_installed()
