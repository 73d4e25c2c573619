"""What every generative method can do: learn from cases, and make cases from latents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import lightning
import torch

from CranialAugmentationTrainerLib.generators.blocks import evaluating
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.overlap import difference
from CranialAugmentationTrainerLib.generators.parameters import AdamSettings, Settings
from CranialReconstructionLib.errors import UserError

# Samples of fixed latents that are compared to see whether they differ.
COMPARED = 4
# Different heads differ by about 0.5. Young generators begin with one head and part from it at about
# 0.002 to 0.005; below this nothing parts them.
ALIKE = 0.001


class Part(NamedTuple):
    """What one optimiser moves."""

    adam: AdamSettings
    parameters: Iterable[torch.nn.Parameter]


class Generator(lightning.LightningModule, ABC):
    """A method over cases (B, 2, K, J, I) in [0, 1] on a cubic canonical grid.

    Optimisation is by hand in all of them, since most have stages or opponents. ``batches`` counts what
    training saw and is part of the state, so stages go on where they were. Lightning's ``global_step``
    counts steps of every optimiser, which is another number.
    """

    sample_space: Literal["normal"] = "normal"
    batches: torch.Tensor

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.automatic_optimization = False
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.losses: dict[str, torch.Tensor] = {}

    @property
    @abstractmethod
    def latent_shape(self) -> tuple[int, ...]:
        """(size,) or (C, k, j, i)."""

    @abstractmethod
    def parts(self) -> list[Part]:
        """The optimisers' parts, in the order in which ``descend`` numbers them."""

    @abstractmethod
    def learn(self, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        """Learn from a batch; the losses by name, ``loss`` among them."""

    @abstractmethod
    def cases_from(self, latent: torch.Tensor) -> torch.Tensor:
        """What ``decode`` gives, in whatever mode the networks are."""

    def latents_from(self, cases: torch.Tensor) -> torch.Tensor:
        """What ``encode`` gives, in whatever mode the networks are."""
        raise UserError(
            f"{type(self).__name__} has no encoder",
            where="encoding of cases",
            remedy="Interpolate between seeds, or choose a method with an encoder, such as vae.",
        )

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Cases (B, 2, K, J, I) in [0, 1] that standard normal latents (B, *latent_shape) stand for.

        The same for the same latent, whatever the other latents of its batch and the training mode.
        """
        with evaluating(self):
            return self.cases_from(latent)

    def encode(self, cases: torch.Tensor) -> torch.Tensor:
        """Latents (B, *latent_shape) of cases: means of their posteriors, or what ``decode`` turns back
        into the method's reconstruction of them.

        Raises:
            UserError: the method has no encoder.
        """
        with evaluating(self):
            return self.latents_from(cases)

    def figures(self, cases: torch.Tensor) -> dict[str, torch.Tensor]:
        """Figures of validation cases, by name."""
        return {}

    @property
    def sampling(self) -> bool:
        """Whether what samples come from has begun to learn; before that, they say nothing."""
        return True

    def monitor(self) -> dict[str, float]:
        """What shows whether training goes well: the last losses, how far samples differ, and the
        method's own figures."""
        seen = {name: float(value) for name, value in self.losses.items()}
        return {**seen, "sample_spread": self.sample_spread()} if self.sampling else seen

    def warnings(self) -> list[str]:
        """What has gone wrong, a sentence each."""
        return self.concerns(self.monitor())

    def concerns(self, seen: Mapping[str, float]) -> list[str]:
        """What is wrong with the figures of ``monitor``; any of them may be missing."""
        spread = seen.get("sample_spread", 1.0)
        return [f"all samples are alike: they differ by {spread:.2%} of their volume"] if spread < ALIKE else []

    def sample_spread(self) -> float:
        """Mean difference between the skulls and defects of a few fixed latents; 0: all one case."""
        latents = Noise(0, 0, device=self.batches.device).normal(COMPARED, *self.latent_shape)
        cases = self.decode(latents)
        first, second = torch.triu_indices(COMPARED, COMPARED, 1)
        return float(difference(cases[first], cases[second]).mean())

    def training_step(self, batch: torch.Tensor, index: int) -> dict[str, torch.Tensor]:
        noise = Noise(self.settings.seed, int(self.batches), self.global_rank, batch.device)
        losses = self.learn(batch, noise)
        self.batches += 1
        self.losses = {name: loss.detach() for name, loss in losses.items()}
        self.log_dict(self.losses, batch_size=len(batch))
        return {"loss": self.losses["loss"]}

    def validation_step(self, batch: torch.Tensor, index: int) -> None:
        for name, value in self.figures(batch).items():
            self.log(f"validation_{name}", value, batch_size=len(batch))

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [
            torch.optim.Adam(part.parameters, lr=part.adam.learning_rate, betas=part.adam.betas)
            for part in self.parts()
        ]

    def descend(self, number: int, loss: torch.Tensor) -> None:
        """One step of the optimiser of the part with that number."""
        self._step(loss, [number])

    def descend_all(self, loss: torch.Tensor) -> None:
        """One step of every part's optimiser on one loss."""
        self._step(loss, list(range(len(self.parts()))))

    def _step(self, loss: torch.Tensor, numbers: list[int]) -> None:
        made: Any = self.optimizers()
        optimisers = made if isinstance(made, list) else [made]
        for number in numbers:
            optimisers[number].zero_grad()
        self.manual_backward(loss)
        for number in numbers:
            clip = self.parts()[number].adam.clip
            if clip:
                self.clip_gradients(optimisers[number], gradient_clip_val=clip, gradient_clip_algorithm="norm")
            optimisers[number].step()
