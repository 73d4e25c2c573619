"""``cranial embed``: real and synthetic cases in one picture of a generator's latent space."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from CranialAugmentationTrainerLib.cli.counting import CountingLine
from CranialReconstructionLib.cli.command import Command
from CranialReconstructionLib.errors import UserError

# As ``latent.embedding`` names them; this file must not load torch.
METHODS = ("tsne", "umap")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial embed``."""
    parser.description = (
        "Encode cases and write a picture of their latents in two dimensions, each source in a colour of its own "
        "(embedding.png), the places and names (embedding.json) and the latents (latents.npz). --real and "
        "--synthetic may be given several times."
    )
    parser.add_argument("generator", type=Path, metavar="RUN", help="a run or package whose method has an encoder")
    parser.add_argument("--real", type=Path, action="append", default=[], metavar="FOLDER", help="skulls")
    parser.add_argument("--synthetic", type=Path, action="append", default=[], metavar="FOLDER", help="a synthetic set")
    parser.add_argument("-o", type=Path, required=True, dest="output", metavar="FOLDER", help="for all of it")
    parser.add_argument("--method", choices=METHODS, default="tsne", help="of the picture (tsne)")
    parser.add_argument("--most", type=int, default=500, metavar="N", help="cases of each folder, evenly chosen (500)")
    parser.add_argument("--seed", type=int, default=0, help="of the picture (0)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto: a GPU where there is one")
    parser.add_argument("--json", action="store_true", help="print the places and how the sources mix as JSON")


def run(options: argparse.Namespace) -> int:
    """Write the picture."""
    import numpy as np

    from CranialAugmentationTrainerLib.datasets.reading import read_data_set
    from CranialAugmentationTrainerLib.latent.embedding import embed, mixing
    from CranialAugmentationTrainerLib.latent.embedding_plot import plot_embedding
    from CranialAugmentationTrainerLib.latent.encoding import EncodedSet, encode_set
    from CranialAugmentationTrainerLib.synthesis.generator_package import generator_source
    from CranialReconstructionLib.imaging.whole_file import whole_file
    from CranialReconstructionLib.reconstruction.devices import choose_device

    folders = [*(("real", path) for path in options.real), *(("synthetic", path) for path in options.synthetic)]
    if not folders or options.most < 1:
        raise UserError("there is nothing to encode", where="embed", remedy="Give --real or --synthetic FOLDER.")
    generator = generator_source(options.generator, str(choose_device(options.device))).load()
    sets: list[EncodedSet] = []
    for kind, folder in folders:
        name = f"{kind}: {folder.resolve().name}"
        # Sets in folders of one name stay apart.
        if any(one.source == name for one in sets):
            name = f"{kind}: {folder.resolve()}"
        line = CountingLine(f"encoding {folder.name}")
        sets.append(encode_set(generator, read_data_set(folder), name, options.most, line))
        for broken in sets[-1].broken:
            print(f"left out: {broken.name}: {broken.reason} ({broken.path})", file=sys.stderr)
    latents = np.concatenate([one.latents for one in sets])
    sources = [one.source for one in sets for _ in one.names]
    names = [name for one in sets for name in one.names]
    points = embed(latents, options.method, options.seed)
    plot_embedding(points, sources, options.method, options.output / "embedding.png")
    with whole_file(options.output / "latents.npz") as part:
        np.savez(part, latents=latents, sources=np.array(sources), names=np.array(names))
    mixed = mixing(latents, sources)
    content = {
        "method": options.method,
        "seed": options.seed,
        "own_neighbours": {source: {"share": own, "by_chance": chance} for source, (own, chance) in mixed.items()},
        "folders": {one.source: str(folder.resolve()) for one, (_, folder) in zip(sets, folders, strict=True)},
        "cases": [
            {"source": source, "name": name, "x": float(x), "y": float(y)}
            for source, name, (x, y) in zip(sources, names, points, strict=True)
        ],
    }
    text = json.dumps(content, indent=1) + "\n"
    with whole_file(options.output / "embedding.json") as part:
        part.write_text(text)
    if options.json:
        print(text, end="")
        return 0
    for source, (own, chance) in mixed.items():
        print(f"{source}: {own:.0%} of the nearest latents are of the same source; chance gives {chance:.0%}.")
    print(f"{len(names)} cases are in {options.output / 'embedding.png'}.")
    return 0


COMMAND = Command("Draw real and synthetic cases in a generator's latent space.", add_arguments, run)
