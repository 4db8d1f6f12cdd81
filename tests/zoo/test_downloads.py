"""What goes over the network, and what is run for it."""

from pathlib import Path

import pytest
from fetching import SHA256

from graphnets.errors import GraphnetsError
from graphnets.zoo import downloads, fetch, mobilenet


def test_each_address_is_encrypted_or_what_comes_has_a_checksum():
    plain = {
        (name, source.place)
        for name, sources in fetch.SOURCES.items()
        for source in sources
        if not source.is_wheel and not source.place.startswith("https://")
    }
    assert {name for name, _ in plain} == {"inception_v3", "alexnet"}
    for source in fetch.SOURCES["alexnet"]:
        assert source.checksum or source.place.startswith("https://")
    assert fetch.KNOWN["inception_v3"] == (f"sha256:{fetch.INCEPTION_SHA256}",)  # of its member
    places = mobilenet.places("mobilenet_v1_0.25_128")
    assert all(place.startswith("https://") for place in places)
    wheels = [source for found in fetch.SOURCES.values() for source in found if source.is_wheel]
    assert len(wheels) == 3 and all(source.checksum for source in wheels)


@pytest.mark.parametrize(
    "places, refused",
    [
        (["https://a/x", "https://b/x"], False),
        (["http://a/x", "https://b/x"], False),
        (["http://a/x", "http://b/x"], False),
        (["https://a/x", "http://b/\x1b[31m"], True),
        (["https://a/x", "http://b/x", "https://a/x"], True),
    ],
)
def test_no_redirect_leads_out_of_encryption(places, refused):
    if not refused:
        return downloads._check_tls(places)
    with pytest.raises(
        GraphnetsError, match="leads to http://b/.*, which is not encrypted"
    ) as told:
        downloads._check_tls(places)
    assert str(told.value).isprintable()


def test_an_answer_over_redirects_is_checked(site, monkeypatch):
    def moved(handler):
        handler.send_response(302)
        handler.send_header("Location", "/there")
        handler.end_headers()

    site.pages |= {"/w": moved, "/there": b"x"}
    seen = []
    monkeypatch.setattr(downloads, "_check_tls", seen.append)
    downloads._answer(f"{site.address}/w").close()
    assert seen == [[f"{site.address}/{name}" for name in ("w", "w", "there")]]


def test_a_pip_in_the_users_folder_is_not_run(tmp_path, monkeypatch):
    """`python -m pip` looks for pip in the working directory, in which strangers' photos may be."""
    (tmp_path / "here").mkdir()
    (tmp_path / "scratch").mkdir()
    Path(tmp_path, "here", "pip.py").write_text("open('run', 'w')")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(GraphnetsError, match="pip could not download it .exit status 1"):
        downloads.wheel("some-package-that-is-not==1.0", SHA256, Path("..", "scratch"))
    assert not Path("run").exists()
    assert not Path("..", "scratch", "run").exists()
