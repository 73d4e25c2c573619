"""``cranial models``: the model packages on this computer."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from CranialReconstructionLib.cli.command import Command
from CranialReconstructionLib.errors import UserError


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="the packages that can be used by name")
    listing.set_defaults(act=_list)

    show = actions.add_parser("show", help="what a package says of itself")
    show.add_argument("model", metavar="NAME_OR_FOLDER", help="a package in the list, or its folder")
    show.set_defaults(act=_show)

    verify = actions.add_parser("verify", help="compare the hashes and load the weights")
    verify.add_argument("models", metavar="NAME_OR_FOLDER", nargs="*", help="packages to verify (default: all)")
    verify.set_defaults(act=_verify)

    for action in (listing, show, verify):
        action.add_argument("--json", action="store_true", help="print JSON for scripts")

    add = actions.add_parser("add", help="verify a package and keep a copy of it")
    add.add_argument("source", metavar="FOLDER_OR_ZIP", type=Path, help="the package, or a zip archive of it")
    add.add_argument("--force", action="store_true", help="replace the package of the same name")
    add.set_defaults(act=_add)

    remove = actions.add_parser("remove", help="delete a package that was added")
    remove.add_argument("name", metavar="NAME", help="a package that you added")
    remove.set_defaults(act=_remove)


def _run(options: argparse.Namespace) -> int:
    return int(options.act(options))


def _list(options: argparse.Namespace) -> int:
    from CranialReconstructionLib.reconstruction.catalogue import available_packages

    rows = [_row(name, folder) for name, folder in available_packages().items()]
    if options.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    if not rows:
        print("No model packages. `cranial models add FOLDER_OR_ZIP` brings one in.", file=sys.stderr)
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "version", "licence", "figure", "where")
    for row in rows:
        figure = row["problem"] or row["figure"]
        table.add_row(row["name"], row["version"], row["licence"], figure, row["where"])
    # A pipe has no width of its own; the table must not lose words in it.
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    return 0


def _row(name: str, folder: Path) -> dict[str, str]:
    """A package in the list; one that cannot be read is listed with the reason."""
    from CranialReconstructionLib.reconstruction.manifest import read_manifest

    row = {"name": name, "version": "", "licence": "", "figure": "", "where": str(folder), "problem": ""}
    try:
        manifest = read_manifest(folder)
    except UserError as error:
        return {**row, "problem": error.problem}
    figure = next((f"{figure.metric} {figure.value:g} on {figure.cases}" for figure in manifest.figures), "")
    return {**row, "version": manifest.version, "licence": manifest.licence, "figure": figure}


def _show(options: argparse.Namespace) -> int:
    from CranialReconstructionLib.reconstruction.catalogue import find_package
    from CranialReconstructionLib.reconstruction.manifest import read_manifest

    folder = find_package(options.model)
    manifest = read_manifest(folder)
    values = {"folder": str(folder), **asdict(manifest)}
    print(json.dumps(values, indent=2, ensure_ascii=False) if options.json else "\n".join(_outline(values)))
    return 0


def _outline(values: dict[str, Any], indent: str = "") -> list[str]:
    """Nested values as indented lines, a list of objects as one line each."""
    lines = []
    for key, value in values.items():
        label = f"{indent}{key.replace('_', ' ') if not indent else key}:"
        if isinstance(value, dict):
            lines += [label, *_outline(value, indent + "  ")]
        elif isinstance(value, (list, tuple)) and any(isinstance(item, dict) for item in value):
            items = ["; ".join(f"{name} {_plain(part)}" for name, part in item.items()) for item in value]
            lines += [label, *(f"{indent}  - {item}" for item in items)]
        else:
            lines.append(f"{label} {_plain(value)}")
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _verify(options: argparse.Namespace) -> int:
    from CranialReconstructionLib.reconstruction.catalogue import available_packages, find_package
    from CranialReconstructionLib.reconstruction.model_package import load_package

    results = []
    for name in options.models or available_packages():
        try:
            package = load_package(find_package(name))
        except UserError as error:
            results.append({"name": name, "sound": False, "message": str(error)})
            continue
        weights = sum(tensor.numel() for net in package.networks.values() for tensor in net.parameters())
        passes = " and ".join(package.networks)
        message = f"version {package.manifest.version}, {passes}, {weights / 1e6:.1f} million weights"
        results.append({"name": name, "sound": True, "message": message})
    if options.json:
        print(json.dumps(results, indent=2, ensure_ascii=False))
    else:
        for result in results:
            print(f"{result['name']}: {'sound' if result['sound'] else 'REFUSED'}: {result['message']}")
    broken = [str(result["name"]) for result in results if not result["sound"]]
    if broken:
        raise UserError(
            f"{len(broken)} of {len(results)} packages were refused",
            where=", ".join(broken),
            remedy="Get them again from where they were published.",
        )
    return 0


def _add(options: argparse.Namespace) -> int:
    from CranialReconstructionLib.reconstruction.installation import install_package

    print(install_package(options.source, force=options.force))
    return 0


def _remove(options: argparse.Namespace) -> int:
    from CranialReconstructionLib.reconstruction.catalogue import remove_package

    print(remove_package(options.name))
    return 0


COMMAND = Command("List, show, verify, add and remove model packages.", _add_arguments, _run)
