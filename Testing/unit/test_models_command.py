"""``cranial models``: what it finds, shows, verifies, brings in and throws out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from CranialReconstructionLib.cli.main import main
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction import catalogue


@pytest.fixture(autouse=True)
def users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for the user's own packages."""
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "user"))
    monkeypatch.delenv(catalogue.FOLDERS_VARIABLE, raising=False)
    return catalogue.user_folder()


@pytest.fixture
def listed(small_package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small package where the environment variable points."""
    monkeypatch.setenv(catalogue.FOLDERS_VARIABLE, os.pathsep.join(["", str(small_package.parent)]))
    return small_package


def zipped(folder: Path, archive: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as opened:
        for file in folder.iterdir():
            opened.write(file, prefix + file.name)
    return archive


def models(*words: object) -> int:
    return main(["models", *(str(word) for word in words)])


def test_list_names_version_licence_figure_and_place(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert models("list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["small-unet"] == {
        "name": "small-unet",
        "version": "1.2.3",
        "licence": "CC0-1.0",
        "figure": "DSC 0.25 on 3 noises",
        "where": str(listed),
        "problem": "",
    }
    assert models("list") == 0
    assert "small-unet" in capsys.readouterr().out


def test_a_broken_package_does_not_hide_the_others(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = listed.parent / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{}")
    assert models("list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["broken"]["problem"] == "schema is missing"
    assert rows["small-unet"]["problem"] == ""


def test_show_prints_the_whole_manifest(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert models("show", "small-unet") == 0
    text = capsys.readouterr().out
    for part in ("1.2.3", "CC0-1.0", "residual_unet", "minimum_component_ml: 0.3", "metric DSC", "made of noise"):
        assert part in text
    assert models("show", listed, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown.pop("folder") == str(listed)
    assert shown == json.loads((listed / "manifest.json").read_text())


def test_list_and_show_import_neither_torch_nor_monai(listed: Path) -> None:
    code = (
        "import sys; from CranialReconstructionLib.cli.main import main; "
        "status = main(['models', 'list']) or main(['models', 'show', 'small-unet']); "
        "sys.exit(status or sum(name in sys.modules for name in ('torch', 'monai')))"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_verify_tells_sound_from_damaged(listed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert models("verify", "small-unet") == 0
    assert "small-unet: sound: version 1.2.3, coarse and fine" in capsys.readouterr().out
    (listed / "fine.safetensors").write_bytes(b"")
    assert models("verify", "small-unet") == 2
    output = capsys.readouterr()
    assert "SHA256" in output.out
    assert "1 of 1 packages were refused" in output.err
    assert models("verify", "small-unet", "--json") == 2
    assert json.loads(capsys.readouterr().out)[0]["sound"] is False


@pytest.mark.parametrize("prefix", ["", "small-unet/"])
def test_add_from_a_folder_or_a_zip_then_remove(
    small_package: Path, users_folder: Path, tmp_path: Path, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_package / "LICENSE").write_text("terms that travel along")
    (small_package / "notes.bin").write_text("nobody asked for these")
    source = zipped(small_package, tmp_path / "small.zip", prefix) if prefix else small_package
    assert models("add", source) == 0
    assert capsys.readouterr().out.strip() == str(users_folder / "small-unet")
    added = {file.name: file.read_bytes() for file in (users_folder / "small-unet").iterdir()}
    assert sorted(added) == ["LICENSE", "coarse.safetensors", "fine.safetensors", "manifest.json"]
    assert all((small_package / name).read_bytes() == content for name, content in added.items())
    assert catalogue.find_package("small-unet") == users_folder / "small-unet"

    assert models("add", source) == 2
    assert "--force" in capsys.readouterr().err
    assert models("add", source, "--force") == 0
    assert models("remove", "small-unet") == 0
    assert list(users_folder.iterdir()) == []


def test_add_refuses_a_damaged_package_and_keeps_nothing(
    small_package: Path, users_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_package / "coarse.safetensors").write_bytes(b"short")
    assert models("add", small_package) == 2
    assert "SHA256" in capsys.readouterr().err
    assert list(users_folder.iterdir()) == []


def test_no_entry_of_an_archive_chooses_its_own_place(small_package: Path, users_folder: Path, tmp_path: Path) -> None:
    archive = zipped(small_package, tmp_path / "small.zip")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("../../slipped", "out")
        opened.writestr(str(tmp_path / "absolute"), "out")
    assert models("add", archive) == 0
    assert sorted(file.name for file in users_folder.iterdir()) == ["small-unet"]
    assert list(tmp_path.rglob("slipped")) == list(tmp_path.rglob("absolute")) == []


def test_add_explains_what_is_no_package(
    small_package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = zipped(small_package, tmp_path / "two.zip", "one/")
    with zipfile.ZipFile(two, "a") as opened:
        opened.write(small_package / "manifest.json", "two/manifest.json")
    (tmp_path / "text.zip").write_text("not an archive")
    (tmp_path / "empty").mkdir()
    for source, reason in (
        (two, "2 packages"),
        (tmp_path / "text.zip", "sound zip archive"),
        (tmp_path / "empty", "no readable manifest.json"),
        (tmp_path / "absent", "no such file or folder"),
    ):
        assert models("add", source) == 2
        error = capsys.readouterr().err
        assert reason in error
        assert error.count("\n") == 1


@pytest.mark.parametrize("name", ["small-unet", "absent", "../published/small-unet", "."])
def test_remove_touches_only_what_the_user_added(
    listed: Path, users_folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    users_folder.mkdir(parents=True)
    (users_folder / "manifest.json").write_text("{}")
    assert models("remove", name) == 2
    assert capsys.readouterr().err.startswith("cranial: ")
    assert (listed / "manifest.json").is_file()
    assert (users_folder / "manifest.json").is_file()


def test_the_first_folder_that_holds_a_name_wins(listed: Path, users_folder: Path) -> None:
    for name in ("small-unet", catalogue.DEFAULT_MODEL):
        (users_folder / name).mkdir(parents=True)
        (users_folder / name / "manifest.json").write_text("{}")
    packages = catalogue.available_packages()
    assert packages["small-unet"] == listed
    assert next(iter(packages)) == catalogue.DEFAULT_MODEL


def test_a_name_that_is_not_there_is_answered_with_those_that_are(listed: Path) -> None:
    assert catalogue.find_package(listed) == listed
    with pytest.raises(UserError) as caught:
        catalogue.find_package("smal-unet")
    assert "small-unet" in caught.value.remedy


@pytest.mark.parametrize(
    ("platform", "place"),
    [
        ("linux", ".local/share/cranial"),
        ("darwin", "Library/Application Support/cranial"),
        ("win32", "AppData/Local/cranial"),
    ],
)
def test_the_users_packages_lie_where_the_system_keeps_a_programs_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, place: str
) -> None:
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(catalogue.sys, "platform", platform)
    assert catalogue.user_folder() == tmp_path / place / "models"
