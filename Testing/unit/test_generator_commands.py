"""``cranial generate``, ``interpolate``, ``embed``, ``set-statistics``, ``package-generator``, as scripts call them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_generator import FakeGenerator, untrained_run

from CranialAugmentationTrainerLib.cli.generate import LIMITS
from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.datasets.synthetic_set import SyntheticSet
from CranialAugmentationTrainerLib.latent import animation
from CranialAugmentationTrainerLib.synthesis import writing
from CranialAugmentationTrainerLib.synthesis.generator_package import PackageSource, generator_source
from CranialAugmentationTrainerLib.synthesis.quality import QualityLimits
from CranialAugmentationTrainerLib.synthesis.source import RunSource, side_of
from CranialReconstructionLib.cli.main import main
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_run(tmp_path_factory.mktemp("runs") / "vae")


@pytest.fixture
def good_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs decode what a trained generator might; the rest of them is their own."""

    monkeypatch.setattr(RunSource, "load", lambda self: FakeGenerator())
    monkeypatch.setattr(animation, "SPACING", 8.0)


def refuses(capsys: pytest.CaptureFixture[str], arguments: list[object], *words: str) -> None:
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = [line for line in captured.err.splitlines() if line.startswith("cranial: ")]
    for word in words:
        assert word in line


def package(run: Path, folder: Path) -> Path:
    licence = ["--licence", "CC-BY-NC-SA-4.0", "--data", "20 skulls"]
    assert main(["package-generator", str(run), "-o", str(folder), *licence]) == 0
    return folder


@pytest.mark.parametrize("method", ["vae", "wgan-gp", "vqvae", "ldm-vae"])
def test_a_package_makes_the_cases_of_its_run(method: str, tmp_path: Path) -> None:
    run = untrained_run(tmp_path / "run", method)
    folder = package(run, tmp_path / "package")
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "weights.safetensors"]
    of_run, of_package = (generator_source(path).load() for path in (run, folder))
    latent = torch.randn(2, *of_run.latent_shape)
    assert torch.equal(of_run.decode(latent), of_package.decode(latent))
    assert side_of(of_package) == 16
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["method"], manifest["licence"], manifest["data"]) == (method, "CC-BY-NC-SA-4.0", "20 skulls")
    # The same package, wherever it lies, goes on with the same set.
    folder.rename(tmp_path / "moved")
    assert PackageSource(tmp_path / "moved").recipe() == {"method": method, "weights": manifest["sha256"]}


def test_a_package_that_is_off_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = package(run, tmp_path / "package")
    generate = ["generate", folder, "-n", 1, "-o", tmp_path / "set"]
    capsys.readouterr()
    weights, manifest = folder / "weights.safetensors", folder / "manifest.json"
    content, text = weights.read_bytes(), manifest.read_text()
    weights.write_bytes(content[:-1] + b"x")
    refuses(capsys, generate, "SHA256")
    weights.write_bytes(content)
    for change, reason in (
        ({"kind": "reconstruction"}, "not a generator's package"),
        ({"schema": 2}, "schema 2"),
        ({"method": "gan"}, "no method 'gan'"),
        ({"method": "wgan-gp"}, "unknown setting"),
        ({"licence": " "}, "licence must be a text"),
    ):
        manifest.write_text(json.dumps({**json.loads(text), **change}))
        refuses(capsys, generate, reason)
    assert not (tmp_path / "set" / "cases").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    arguments = ["package-generator", run, "-o", tmp_path / "other", "--licence", "x", "--data", "y"]
    refuses(capsys, arguments, "not a generator's package")
    assert (tmp_path / "other" / "mine.txt").exists()


def test_runs_that_cannot_generate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(folder: Path, *words: str) -> None:
        refuses(capsys, ["generate", folder, "-n", 1, "-o", tmp_path / "set"], *words)

    refused(tmp_path, "neither a run nor")
    run = untrained_run(tmp_path / "run")
    checkpoint = run / "checkpoints" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:4000])
    refused(run, "does not fit")
    # What a checkpoint must be unpickled for is not loaded.
    torch.save({"state_dict": Path("x")}, checkpoint)
    refused(run, "does not fit")
    torch.save({"state_dict": {}}, checkpoint)
    refused(run, "does not fit")
    checkpoint.unlink()
    refused(run, "no checkpoint yet")
    (run / "run.json").write_text(json.dumps({"configuration": {"stage": "coarse"}}))
    refused(run, "not that of a generator")


@pytest.mark.usefixtures("good_cases")
def test_generate(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "set"
    generate = ["generate", str(run), "-o", str(folder), "--seed", "5", "--device", "cpu", "--format", ".nii.gz"]
    assert main([*generate, "-n", "4"]) == 0
    assert "4 cases are in" in capsys.readouterr().out
    assert main([*generate, "-n", "6", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert counts["accepted"] == 6
    assert counts["new"] < counts["accepted"] + sum(counts["rejected"].values())
    records = SyntheticSet(folder).records()
    files = [folder / record.file for record in records.values() if record.file]
    assert len(files) == 6
    assert all(path.name.endswith(".nii.gz") for path in files)
    before = files[2].read_bytes()
    files[2].unlink()
    number = next(record.number for record in records.values() if folder / record.file == files[2])
    assert main([*generate, "--remake", str(number)]) == 0
    assert files[2].read_bytes() == before
    assert f"Case {number} is in" in capsys.readouterr().out
    refuses(capsys, [*generate, "-n", "6", "--sampling", "uds"], "making differ")
    refuses(capsys, generate, "-n COUNT, or --remake")
    refuses(capsys, [*generate, "-n", "0"], "nothing to make")


@pytest.mark.usefixtures("good_cases")
def test_quality_can_be_changed_and_left_out(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate = ["generate", str(run), "-n", "12", "--json", "--seed", "2", "-o"]

    def made(name: str, *words: str) -> dict[str, int]:
        assert main([*generate, str(tmp_path / name), *words]) == 0
        rejected: dict[str, int] = json.loads(capsys.readouterr().out)["rejected"]
        return rejected

    # Two latents of these leave the defect away.
    assert made("usual")["no defect"] >= 2
    assert made("all", "--keep-all") == {}
    assert SyntheticSet(tmp_path / "all").recipe()["making"]["limits"] is None
    # A case without a defect is counted among them, and measured as far as it can be.
    assert main(["set-statistics", str(tmp_path / "all"), "--figures", str(tmp_path / "figures.json")]) == 0
    assert "diversity of skulls" in capsys.readouterr().out
    (figures,) = json.loads((tmp_path / "figures.json").read_text())["sets"]
    assert (figures["cases"], sum(case["extent_mm"] is None for case in figures["per_case"])) == (12, 2)
    assert main(["generate", str(run), "-o", str(tmp_path / "all"), "--remake", "1"]) == 0
    assert SyntheticSet(tmp_path / "usual").recipe()["making"]["limits"] == asdict(QualityLimits()) == LIMITS
    capsys.readouterr()
    refuses(capsys, [*generate, tmp_path / "usual", "--keep-all"], "making differ")
    refuses(capsys, [*generate, tmp_path / "none", "--limit", "least_skull=0.9"], "no skull")
    for wrong, why in (("size=1", "names no limit"), ("main_skull=2", "no share"), ("main_skull", "no share")):
        refuses(capsys, [*generate, tmp_path / "none", "--limit", wrong], why)


@pytest.mark.usefixtures("good_cases")
@pytest.mark.parametrize("form", ["quantile", "literal"])
def test_generate_evenly(form: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["generate", run, "-o", tmp_path / "set", "-n", 5, "--sampling", "uds", "--form", form, "--json"]
    assert main([str(argument) for argument in arguments]) == 0
    sampling = SyntheticSet(tmp_path / "set").recipe()["making"]["sampling"]
    assert (sampling["strategy"], sampling["form"], sampling["count"]) == ("uds", form, 5 if form == "literal" else 0)
    latents = [record.facts["latent"] for record in SyntheticSet(tmp_path / "set").records().values()]
    assert len(set(latents)) == len(latents)


def test_a_generator_of_noise_is_given_up_with_the_reason(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Noisy(FakeGenerator):
        def decode(self, latent: torch.Tensor) -> torch.Tensor:
            return torch.rand(len(latent), 2, 16, 16, 16)

    monkeypatch.setattr(RunSource, "load", lambda self: Noisy())
    monkeypatch.setattr(writing, "HOPELESS", 20)
    refuses(capsys, ["generate", run, "-n", 30, "-o", tmp_path / "set", "--batch", 10], "too much bone: 20")


@pytest.mark.usefixtures("good_cases")
def test_from_a_set_to_its_statistics_and_embedding(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seed in (("one", "1"), ("two", "2")):
        assert main(["generate", str(run), "-n", "6", "-o", str(tmp_path / name), "--seed", seed]) == 0
    capsys.readouterr()
    sets, picture = [str(tmp_path / "one"), str(tmp_path / "two")], tmp_path / "sets.png"
    assert main(["set-statistics", *sets, "--reference", sets[0], "--plot", str(picture), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [one["cases"] for one in content["sets"]] == [6, 6]
    assert content["sets"][0]["side"] == 16
    # Held against itself, a set remembers all of it.
    assert content["sets"][0]["nearest_dice"]["median"] == 1.0
    assert content["sets"][1]["nearest_dice"]["median"] < 1.0
    assert picture.is_file()
    assert main(["set-statistics", *sets]) == 0
    assert "diversity of skulls" in capsys.readouterr().out

    output = tmp_path / "embedding"
    embed = ["embed", str(run), "--real", sets[0], "--synthetic", sets[1], "-o", str(output), "--most", "5", "--json"]
    assert main(embed) == 0
    content = json.loads(capsys.readouterr().out)
    assert content == json.loads((output / "embedding.json").read_text())
    assert [case["source"] for case in content["cases"]] == ["real: one"] * 5 + ["synthetic: two"] * 5
    assert set(content["own_neighbours"]) == {"real: one", "synthetic: two"}
    with np.load(output / "latents.npz") as kept:
        assert kept["latents"].shape == (10, 4)
        assert kept["names"].tolist() == [case["name"] for case in content["cases"]]
    assert (output / "embedding.png").is_file()
    refuses(capsys, ["embed", run, "-o", output], "nothing to encode")


@pytest.mark.usefixtures("good_cases")
def test_interpolate(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["interpolate", str(run), "3", "8", "-o", str(tmp_path / "way"), "--steps", "3", "--json"]
    assert main(arguments) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["way"] == "spherical"
    assert [step["share"] for step in content["steps"]] == [0.0, 0.5, 1.0]
    assert (tmp_path / "way" / "interpolation.gif").is_file()
    ends = [tmp_path / "way" / content["steps"][place]["volume"] for place in (0, -1)]
    assert main(["interpolate", str(run), *map(str, ends), "-o", str(tmp_path / "cases"), "--steps", "2"]) == 0
    assert "2 steps are in" in capsys.readouterr().out
    refuses(capsys, ["interpolate", run, "3", "x.nrrd", "-o", tmp_path / "way"], "neither a seed nor a file")


def test_a_method_without_an_encoder_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = untrained_run(tmp_path / "run", "wgan-gp")
    case = tmp_path / "case.nrrd"
    write_volume(Volume(np.ones((16, 16, 16), dtype=np.uint8), case_grid(16).ijk_to_ras), case)
    refuses(capsys, ["interpolate", run, "3", case, "-o", tmp_path / "way"], "no encoder", "seeds")
