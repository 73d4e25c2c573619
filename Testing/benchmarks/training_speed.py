"""Seconds that a training step of each method takes, beside a plain loop over a plain MONAI network.

    python Testing/benchmarks/training_speed.py [METHOD ...] [--preset small] [--steps 6] [--batch 2]

Ours is a run of ``cranial train`` in its last stage, cases, loop and run folder included. The plain one is
MONAI's network of that kind with our widths (VarAutoEncoder for whatever has an encoder, a decoder or a
critic; VQVAE; DiffusionModelUNet; UNet), one forward and backward pass and an Adam step on a batch in memory. A
WGAN-GP's step asks its critic three times and differentiates it twice, so its ratio says what the method
costs, not what the loop does. The two take turns; the median counts.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from monai.networks.nets import VQVAE, UNet, VarAutoEncoder
from rich.console import Console
from rich.table import Table

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.generators.latent_diffusion import LatentDiffusion
from CranialAugmentationTrainerLib.generators.overlap import dice_loss
from CranialAugmentationTrainerLib.generators.parameters import MethodSettings, VqVaeSettings
from CranialAugmentationTrainerLib.generators.registry import build
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.training import train_method
from CranialAugmentationTrainerLib.training.training_settings import METHODS, TrainingSettings, training_settings
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume

# What brings a method into its last stage at once.
LAST_STAGE = {
    "vae-wgan-gp": ("vae_steps=0", "bridge_steps=0"),
    "introvae": ("warmup_steps=0", "margin=10"),
    "softintrovae": ("warmup_steps=0",),
    "vqvae": ("autoencoder_steps=1000000",),
    "ldm-vae": ("autoencoder_steps=1", "measured_batches=1"),
    "ldm-vqvae": ("autoencoder_steps=1", "measured_batches=1"),
}
STAGES_BEFORE = 2
TURNS = 3
NEVER = 10**6


def main() -> None:
    """Time them and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=f"({', '.join(METHODS)})")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--steps", type=int, default=6, help="timed in each turn (6)")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="Lightning's word, cpu or gpu (cpu)")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for method in options.methods or METHODS:
            words = (f"batch={options.batch}", f"accelerator={options.device}", *LAST_STAGE.get(method, ()))
            settings = training_settings(method, options.preset, words)
            folder = Path(place) / str(settings.side)
            if not folder.is_dir():
                _write_cases(folder, settings.side)
            plain = _plain_step(settings, torch.device("cuda" if options.device == "gpu" else "cpu"))
            plain()
            ours, theirs = [], []
            for turn in range(TURNS):
                ours.append(_ours(settings, folder, Path(place) / f"{method}-{turn}", options.steps))
                theirs.append(_timed(plain, options.steps))
            rows.append((method, settings.side, statistics.median(ours), statistics.median(theirs)))
    _print(rows, options)


def _ours(settings: TrainingSettings, data: Path, folder: Path, steps: int) -> float:
    """Seconds a step of a run, the first ones left out."""
    run = RunFolder(folder)
    # A report after the stages before and one step of warm-up, and one at the end.
    report = max(steps, STAGES_BEFORE + 1)
    words = {
        "steps": 2 * report,
        "report": report,
        "validate": NEVER,
        "checkpoint": NEVER,
        "preview": NEVER,
        "previews": 1,
        "collapse_stop": 0,
    }
    timed = TrainingSettings(**{**vars(settings), **words})
    train_method(timed, [data], run, cache=data / "cache")
    return float([event["seconds_a_step"] for event in run.read_events() if event["event"] == "step"][-1])


def _plain_step(settings: TrainingSettings, device: torch.device) -> Callable[[], None]:
    """A step of the plain network."""
    cases = torch.rand(settings.batch, 2, *3 * (settings.side,), device=device)
    if settings.method == "reconstruction":
        network: torch.nn.Module = UNet(3, 1, 1, **_unet_arguments(settings))
        return _stepper(
            network.to(device), lambda net: dice_loss(torch.sigmoid(net(cases[:, :1])), cases[:, 1:]).mean()
        )
    method = build(settings.method, settings.settings)
    if isinstance(method, LatentDiffusion):
        denoiser, latent = method.denoiser.to(device), torch.randn(settings.batch, *method.latent_shape, device=device)
        times = torch.zeros(settings.batch, dtype=torch.int64, device=device)
        return _stepper(denoiser, lambda net: (net(latent, timesteps=times) - latent).square().mean())
    assert isinstance(settings.settings, MethodSettings)
    sizes = settings.settings.network
    if isinstance(settings.settings, VqVaeSettings):
        count = len(sizes.widths)
        quantised = VQVAE(
            spatial_dims=3,
            in_channels=2,
            out_channels=2,
            channels=sizes.widths,
            num_res_layers=sizes.residual_units,
            num_res_channels=sizes.widths,
            downsample_parameters=((2, 4, 1, 1),) * count,
            upsample_parameters=((2, 4, 1, 1, 0),) * count,
            num_embeddings=settings.settings.codebook.codes,
            embedding_dim=sizes.latent_channels,
        )
        return _stepper(quantised.to(device), lambda net: _quantised_loss(net, cases))
    autoencoder = VarAutoEncoder(
        spatial_dims=3,
        in_shape=cases.shape[1:],
        out_channels=2,
        latent_size=sizes.latent_size or sizes.latent_channels * sizes.base**3,
        channels=sizes.widths,
        strides=[2] * len(sizes.widths),
    ).to(device)

    def loss(net: torch.nn.Module) -> torch.Tensor:
        found, mean, deviation, _ = net(cases)
        divergence = (mean.square() + deviation.exp() - deviation - 1.0).sum(1).mean()
        return dice_loss(torch.sigmoid(found), cases).mean() + 1e-3 * divergence

    return _stepper(autoencoder, loss)


def _quantised_loss(network: torch.nn.Module, cases: torch.Tensor) -> torch.Tensor:
    found, commitment = network(cases)
    return dice_loss(torch.sigmoid(found), cases).mean() + commitment


def _unet_arguments(settings: TrainingSettings) -> dict[str, object]:
    arguments = dict(settings.settings.arguments)
    return {"num_res_units": 2, "channels": (16, 32, 64, 128, 256), "strides": (2, 2, 2, 2), **arguments}


def _stepper(network: torch.nn.Module, loss: Callable[[torch.nn.Module], torch.Tensor]) -> Callable[[], None]:
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step() -> None:
        optimiser.zero_grad()
        loss(network).backward()
        optimiser.step()

    return step


def _timed(step: Callable[[], None], steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / steps


def _write_cases(folder: Path, side: int) -> None:
    """Four balls of bone with a lump that is missing; what they look like costs no time."""
    places = np.stack(np.meshgrid(*3 * [np.linspace(-1.0, 1.0, side)], indexing="ij"))
    radius = np.linalg.norm(places, axis=0)
    for number in range(4):
        bone = (radius < 0.7 + 0.02 * number) & (radius > 0.55)
        missing = bone & (
            np.linalg.norm(places - np.array([0.6, 0.1 * number, 0.0])[:, None, None, None], axis=0) < 0.35
        )
        for name, mask in (("skull", bone & ~missing), ("defect", missing)):
            path = folder / f"{number}" / f"{name}.nrrd"
            write_volume(Volume(mask.astype(np.uint8), case_grid(side).ijk_to_ras, name), path)


def _print(rows: Sequence[tuple[str, int, float, float]], options: argparse.Namespace) -> None:
    title = f"Seconds a step, preset {options.preset}, batch {options.batch}, {torch.get_num_threads()} threads"
    table = Table("method", "side", "ours", "plain MONAI", "ratio", title=title)
    for method, side, ours, theirs in rows:
        table.add_row(method, str(side), f"{ours:.3f}", f"{theirs:.3f}", f"{ours / theirs:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
