"""A package comes back as it was written, and whatever is off about one is refused with the reason."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.manifest import ModelManifest, read_manifest
from CranialReconstructionLib.reconstruction.model_package import load_package, write_package
from CranialReconstructionLib.reconstruction.networks import build_network
from CranialReconstructionLib.reconstruction.staged_folder import staged_folder

Weights = dict[str, dict[str, torch.Tensor]]


def weights_of(manifest: ModelManifest) -> Weights:
    torch.manual_seed(11)
    return {
        name: build_network(entry.architecture, entry.arguments).state_dict()
        for name, entry in manifest.networks.items()
    }


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def replace_weights(folder: Path, name: str, tensors: dict[str, torch.Tensor]) -> None:
    """Other weights under a manifest that vouches for them."""
    file = folder / f"{name}.safetensors"
    save_file(tensors, file)
    edit(folder, lambda values: values["networks"][name].update(sha256=sha256_of(file)))


@pytest.mark.parametrize("half", [True, False])
def test_round_trip_is_exact(tmp_path: Path, small_manifest: ModelManifest, half: bool) -> None:
    weights = weights_of(small_manifest)
    written = write_package(tmp_path / "package", small_manifest, weights, half=half)
    package = load_package(tmp_path / "package")
    assert read_manifest(tmp_path / "package").figures == small_manifest.figures
    assert package.manifest.networks.keys() == written.networks.keys()
    for name, tensors in weights.items():
        network = package.network(name)
        assert not network.training
        for key, tensor in network.state_dict().items():
            expected = tensors[key].half().float() if half else tensors[key]
            assert tensor.dtype == torch.float32
            assert torch.equal(tensor, expected)


def test_a_manifest_comes_back_equal(tmp_path: Path, small_manifest: ModelManifest) -> None:
    first = write_package(tmp_path / "first", small_manifest, weights_of(small_manifest))
    again = read_manifest(tmp_path / "first")
    second = write_package(tmp_path / "second", again, weights_of(small_manifest))
    assert (tmp_path / "first/manifest.json").read_bytes() == (tmp_path / "second/manifest.json").read_bytes()
    assert first.networks["fine"].sha256 == second.networks["fine"].sha256
    assert again.training == small_manifest.training
    assert again.coverage == small_manifest.coverage
    assert again.head_grid == small_manifest.head_grid


def test_what_half_precision_cannot_hold_stays_whole(tmp_path: Path, small_manifest: ModelManifest) -> None:
    weights = weights_of(small_manifest)
    key = next(iter(weights["coarse"]))
    weights["coarse"][key][0] = 1e6
    write_package(tmp_path / "package", small_manifest, weights)
    assert torch.equal(load_package(tmp_path / "package").network("coarse").state_dict()[key], weights["coarse"][key])


def test_a_package_may_have_one_network(tmp_path: Path, small_manifest: ModelManifest) -> None:
    coarse = replace(small_manifest, networks={"coarse": small_manifest.networks["coarse"]})
    write_package(tmp_path / "package", coarse, {"coarse": weights_of(small_manifest)["coarse"]})
    assert list(load_package(tmp_path / "package").networks) == ["coarse"]


@pytest.mark.parametrize(
    "key",
    [
        "schema",
        "name",
        "version",
        "description",
        "licence",
        "networks",
        "head_grid",
        "post_processing",
        "training",
        "figures",
        "coverage",
    ],
)
def test_a_missing_key_is_named(small_package: Path, key: str) -> None:
    edit(small_package, lambda values: values.pop(key))
    with pytest.raises(UserError, match=f"{key} is missing") as caught:
        load_package(small_package)
    assert caught.value.where == str(small_package / "manifest.json")


@pytest.mark.parametrize("key", ["architecture", "arguments", "spacing_mm", "window_voxels", "weights", "sha256"])
def test_a_missing_key_of_a_network_is_named_with_its_place(small_package: Path, key: str) -> None:
    edit(small_package, lambda values: values["networks"]["fine"].pop(key))
    with pytest.raises(UserError, match=f"networks, fine: {key} is missing"):
        load_package(small_package)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (["schema"], 2, "schema 2"),
        (["name"], "../elsewhere", "lower-case"),
        (["description"], 5, "must be a text"),
        (["networks", "third"], {}, "nothing else"),
        (["networks", "coarse"], "unet", "an object"),
        (["networks", "coarse", "architecture"], "resnet", "'resnet' is unknown"),
        (["networks", "coarse", "arguments"], {"depth": 3}, "'depth'"),
        (["networks", "coarse", "spacing_mm"], 0, "above zero"),
        (["networks", "coarse", "spacing_mm"], True, "finite number"),
        (["networks", "coarse", "spacing_mm"], float("nan"), "finite number"),
        (["networks", "coarse", "window_voxels"], [96, 96], "3 numbers"),
        (["networks", "coarse", "window_voxels"], [96, 96, 9.5], "whole numbers"),
        (["networks", "coarse", "input_channels"], ["a", "b"], "the network takes 1"),
        (["networks", "coarse", "weights"], "../coarse.safetensors", "plain file name"),
        (["networks", "coarse", "weights"], "/etc/coarse.safetensors", "plain file name"),
        (["networks", "coarse", "weights"], "..\\coarse.safetensors", "plain file name"),
        (["networks", "coarse", "weights"], "coarse.pkl", "plain file name"),
        (["networks", "coarse", "weights"], "other.safetensors", "other.safetensors is missing"),
        (["networks", "coarse", "sha256"], "abc", "64 hexadecimal"),
        (["networks", "coarse", "sha256"], "0" * 64, "SHA256"),
        (["head_grid", "extents_mm"], [190, 0, 190], "above zero"),
        (["post_processing", "threshold"], "half", "finite number"),
        (["training", "steps"], 1.5, "whole number"),
        (["figures"], {"DSC": 1}, "must be a list"),
        (["coverage", "head_volume_ml"], [4000, 900], "4000 down to 900"),
    ],
)
def test_a_wrong_value_is_refused_with_the_reason(
    small_package: Path, path: list[str], value: object, reason: str
) -> None:
    def change(values: dict[str, Any]) -> None:
        for key in path[:-1]:
            values = values[key]
        values[path[-1]] = value

    edit(small_package, change)
    with pytest.raises(UserError) as caught:
        load_package(small_package)
    assert reason in caught.value.problem


def test_without_a_coarse_network_there_is_no_package(small_package: Path) -> None:
    edit(small_package, lambda values: values["networks"].pop("coarse"))
    with pytest.raises(UserError, match="must hold one of 'shell', 'coarse' and 'head'"):
        load_package(small_package)


def test_a_manifest_that_is_no_json_or_not_there(small_package: Path, tmp_path: Path) -> None:
    (small_package / "manifest.json").write_text('{"schema": 1,')
    with pytest.raises(UserError, match="not JSON"):
        load_package(small_package)
    (small_package / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not JSON"):
        load_package(small_package)
    with pytest.raises(UserError, match=r"no readable manifest\.json"):
        load_package(tmp_path)


def test_one_changed_byte_of_the_weights_is_noticed(small_package: Path) -> None:
    file = small_package / "fine.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="SHA256") as caught:
        load_package(small_package)
    assert caught.value.where == str(file)


def test_weights_that_do_not_fit_name_the_first_tensor(small_package: Path) -> None:
    fitting = load_file(small_package / "coarse.safetensors")
    first = next(iter(load_package(small_package).network("coarse").state_dict()))
    replace_weights(small_package, "coarse", {key: value for key, value in fitting.items() if key != first})
    with pytest.raises(UserError, match=f"{first} is missing"):
        load_package(small_package)
    replace_weights(small_package, "coarse", {**fitting, first: fitting[first][:1].clone()})
    with pytest.raises(UserError, match=f"{first} has shape"):
        load_package(small_package)
    replace_weights(small_package, "coarse", {**fitting, first: torch.full_like(fitting[first], float("nan"))})
    with pytest.raises(UserError, match=f"{first} holds values that are not finite"):
        load_package(small_package)
    replace_weights(small_package, "coarse", {**fitting, "spare": torch.zeros(1)})
    with pytest.raises(UserError, match="spare has no place"):
        load_package(small_package)


def test_a_pickle_under_a_safe_name_is_refused_and_not_unpickled(small_package: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    file = small_package / "coarse.safetensors"
    torch.save(Trap(), file)
    edit(small_package, lambda values: values["networks"]["coarse"].update(sha256=sha256_of(file)))
    with pytest.raises(UserError, match="not a safetensors file"):
        load_package(small_package)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_weights_may_not_be_a_link_out_of_the_package(small_package: Path, tmp_path: Path) -> None:
    file = small_package / "coarse.safetensors"
    file.rename(tmp_path / "secret.safetensors")
    file.symlink_to(tmp_path / "secret.safetensors")
    with pytest.raises(UserError, match="outside the package"):
        load_package(small_package)


def test_a_write_that_fails_leaves_the_former_package(small_package: Path, small_manifest: ModelManifest) -> None:
    before = {file.name: file.read_bytes() for file in small_package.iterdir()}
    with pytest.raises(UserError, match="must be a text"):
        write_package(small_package, replace(small_manifest, version=" "), weights_of(small_manifest))
    assert {file.name: file.read_bytes() for file in small_package.iterdir()} == before
    assert list(small_package.parent.iterdir()) == [small_package]


def test_a_new_version_replaces_the_former_package(small_package: Path, small_manifest: ModelManifest) -> None:
    (small_package / "left-over").write_text("of the former version")
    write_package(small_package, replace(small_manifest, version="2.0.0"), weights_of(small_manifest))
    assert load_package(small_package).manifest.version == "2.0.0"
    assert not (small_package / "left-over").exists()


def test_a_folder_that_is_no_package_is_not_written_over(tmp_path: Path, small_manifest: ModelManifest) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="not a model package"):
        write_package(tmp_path, small_manifest, weights_of(small_manifest))
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path, small_manifest: ModelManifest) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written") as caught:
        write_package(tmp_path / "file" / "package", small_manifest, weights_of(small_manifest))
    assert caught.value.where == str(tmp_path / "file" / "package")


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with staged_folder(tmp_path / "package") as fresh:
            (fresh / "half").write_text("written")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
