"""A user's program gets the same from all its places, and keeps all that it has set."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from served import classifier_in, png, write_classifier

LOGGED = re.compile(r"[IW]0000 .*|WARNING: All log messages before absl.*")  # before any setting


def child(*words, **settings):
    """What a Python process prints; it succeeds, and says nothing else."""
    here = os.pathsep.join([str(Path(__file__).parent / "helpers"), *filter(None, sys.path)])
    ran = subprocess.run(
        [sys.executable, *map(str, words)], env=os.environ | {"PYTHONPATH": here} | settings,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    told = [line for line in ran.stderr.splitlines() if not LOGGED.match(line)]
    assert (ran.returncode, told) == (0, []), ran.stderr[-3000:]
    return ran.stdout


@pytest.mark.long
def test_a_program_whose_warnings_are_errors_gets_none_and_keeps_its_settings(tmp_path):
    changes = json.loads(child("-W", "error", "-X", "dev", "-m", "program", tmp_path))
    assert changes == {step: {} for step in ("import", "retrain", "predict", "export", "serve")}


@pytest.mark.long
@pytest.mark.parametrize("first", [[], ["disabled"]], ids=["eager", "disabled first"])
def test_scores_are_the_same_in_each_place_of_a_program(tmp_path, first):
    write_classifier(tmp_path)
    (tmp_path / "photo.png").write_bytes(png(1))
    wanted = classifier_in(tmp_path).scores(tmp_path / "photo.png").tobytes().hex()
    settings = {"TF_USE_LEGACY_KERAS": "0"}  # whose policy is one of the places
    settings |= {"TF_ENABLE_AUTO_MIXED_PRECISION": "1"} if first else {}
    said = child("-m", "anywhere", tmp_path, *first, **settings)
    assert said.split() == [wanted, "12", "12"]


def test_a_change_of_a_setting_is_seen():
    import logging

    from state import changed, state

    before = state()
    logging.disable(logging.INFO)
    try:
        assert list(changed(before, state())) == ["logging"]
    finally:
        logging.disable(logging.NOTSET)
    assert changed(before, state()) == {}
