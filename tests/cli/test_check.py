"""The command that looks at photos before training."""

import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner
from scenes import scene, write_scenes

from graphnets.cli.commands import main


def run(*arguments: object, expect: int):
    result = CliRunner().invoke(main, ["check", *map(str, arguments)])
    assert result.exit_code == expect, result.output
    return result.stdout


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "photos")


def test_the_status_is_0_if_all_is_well(folder):
    assert run(folder, expect=0) == (
        "40 photos in 2 classes of 20 to 20; 0 files left out\n\nnothing needs attention\n"
    )


def test_the_report_has_the_first_few_of_each_kind_and_what_to_do(folder):
    for number in range(8):
        (folder / "hills" / f"bad{number}.jpg").write_bytes(b"")
    scene(0).save(folder / "hills" / "grey.jpg", quality=30)
    report = run(folder, expect=1)
    bad = "".join(f"    {folder}/hills/bad{n}.jpg: an empty file\n" for n in range(5))
    assert report == (
        "41 photos in 2 classes of 20 to 21; 8 files left out\n\n"
        f"! 8 files cannot be read to their end\n{bad}    and 3 more\n"
        "    -> get them again, or --move_to DIR moves them aside\n\n"
        "  2 photos in 1 groups look the same: saved again, resized, brightened or mirrored\n"
        f"    {folder}/hills/00.jpg = {folder}/hills/grey.jpg\n"
        "    -> look at them with --contact_sheet FILE.png\n\n"
        "1 things need attention (!)\n"
    )


def test_json_has_all_that_is_found(folder, tmp_path):
    for number in range(8):
        shutil.copy(folder / "hills" / "00.jpg", folder / "lakes" / f"copy{number}.jpg")
    sheet, aside = tmp_path / "sheet.png", tmp_path / "aside"
    found = json.loads(
        run(folder, "--json", "--contact-sheet", sheet, "--move-to", aside, expect=1)
    )
    assert (found["files"], found["photos"], found["attention"]) == (48, 48, True)
    assert found["classes"] == {"hills": 20, "lakes": 28} and found["modes"] == {"colour": 48}
    assert sum(found["splits"].values()) == 48
    assert found["contact_sheet"] == str(sheet) and sheet.exists()
    assert len(found["moved"]) == 7
    two = next(finding for finding in found["findings"] if finding["kind"] == "two_labels")
    assert two["attention"] and two["number"] == len(two["items"]) == 8
    assert two["items"][0] == {
        "paths": [f"{folder}/hills/00.jpg", f"{folder}/lakes/copy0.jpg"],
        "labels": ["hills", "lakes"],
        "splits": two["items"][0]["splits"],
        "exact": True,
        "mirrored": False,
    }


def test_what_was_moved_and_drawn_is_said(folder, tmp_path):
    (folder / "hills" / "bad.jpg").write_bytes(b"")
    sheet, aside = tmp_path / "sheet.png", tmp_path / "aside"
    report = run(folder, "--contact_sheet", sheet, "--move_to", aside, expect=1)
    assert f"\nno copies to show on {sheet}\n" in report
    assert f"moved {folder}/hills/bad.jpg to {aside}/hills/bad.jpg: an empty file\n" in report
    assert run(folder, expect=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "Error: nowhere is no folder; wanted one with a sub-folder of photos per"),
        (["photos", "--group_by", "x{9}"], "Error: group_by 'x{9}' matches none"),
        (["photos", "--contact_sheet", "a.gif"], "Error: contact_sheet is 'a.gif', wanted a file"),
        (["photos", "--size", "0"], "Invalid value for '--size'"),
        ([], "Missing argument 'IMAGES'"),
    ],
)
def test_errors_have_status_2(folder, monkeypatch, arguments, message):
    monkeypatch.chdir(folder.parent)
    result = CliRunner().invoke(main, ["check", *arguments])
    assert result.exit_code == 2 and message in result.output


def test_tensorflow_is_not_imported(folder):
    code = (
        "import sys, graphnets\n"
        f"graphnets.check({str(folder)!r})\n"
        "print([m for m in ('tensorflow', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
