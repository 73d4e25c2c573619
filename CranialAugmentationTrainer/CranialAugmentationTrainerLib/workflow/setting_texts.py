"""What every setting of ``cranial train`` does, and its unit; text, and no logic.

A network's settings stand here as those of the method itself; the autoencoder below a diffusion model has them too.
"""

from __future__ import annotations

_RATE = "Larger steps learn faster, until the losses swing or run away; smaller ones are steadier and slower."
_BETAS = "Memory of Adam's two averages: a first one of 0.5 lets adversaries answer each other, 0.9 is calmer."
_CLIP = "Longest gradient that is taken as it is, 0 for any: a limit keeps rare wild steps from wrecking a run."
_GROUPS = "Channels are normalised in so many groups, which must divide every width; more groups couple them less."
_ALIKE = "The same seed on the same machine gives the same run"

# Group -> setting, as `--set` takes it -> unit and one sentence on what changing it does.
TEXTS: dict[str, dict[str, tuple[str, str]]] = {
    "Run": {
        "steps": ("batches", "More batches, longer training: it ends after so many, whatever it has learned."),
        "batch": ("cases", "Larger batches give steadier gradients and need that much more memory and time a step."),
        "seed": ("", f"{_ALIKE}; another one draws other weights, noise and order of cases."),
        "early_stop": (
            "validations",
            "Training ends after so many validations without a better figure; 0 trains to the last step.",
        ),
        "watched": ("", "The figure that an early stop looks at; empty is the method's first."),
        "collapse_stop": (
            "validations",
            "Training ends after so many validations in a row with a warning, such as collapse; 0 goes on.",
        ),
    },
    "Network": {
        "settings.seed": ("", f"{_ALIKE} of noise; it follows the run's seed unless it is set."),
        "settings.network.side": (
            "voxels",
            "Twice the side shows twice the detail, and takes eight times the memory and time.",
        ),
        "settings.network.widths": (
            "channels",
            "Channels after each halving of the grid: wider learns more, another level sees further.",
        ),
        "settings.network.residual_units": (
            "units",
            "More units a level make a deeper network that learns finer shapes more slowly.",
        ),
        "settings.network.groups": ("groups", _GROUPS),
        "settings.network.latent_size": (
            "numbers",
            "Numbers that stand for a whole head: more keep finer shapes and are harder to sample; 0 is volumetric.",
        ),
        "settings.network.latent_channels": (
            "channels",
            "Channels of a volumetric latent: more keep finer shapes and are harder to sample; 0 is flat.",
        ),
        "settings.side": (
            "voxels",
            "Twice the side shows twice the detail, and takes eight times the memory and time.",
        ),
        "settings.architecture": (
            "",
            "Which network is trained, such as residual_unet or vnet; each has arguments of its own.",
        ),
        "settings.arguments": (
            "",
            "MONAI's arguments of that network: more channels or levels learn more, and take memory and time.",
        ),
    },
    "Optimiser": {
        "settings.optimiser.learning_rate": ("", _RATE),
        "settings.optimiser.betas": ("", _BETAS),
        "settings.optimiser.clip": ("", _CLIP),
        "settings.optimiser.weight_decay": (
            "",
            "Pulls weights to zero: more of it fits the training skulls less closely.",
        ),
        "settings.optimiser.warmup": (
            "steps",
            "Steps over which the rate rises from zero; more of them are kinder to fresh weights.",
        ),
        "settings.optimiser.average": (
            "",
            "Memory of the average of the weights that is kept: nearer to 1 is smoother and lags behind.",
        ),
        "settings.vae_optimiser.learning_rate": ("", f"In the first stage. {_RATE}"),
        "settings.vae_optimiser.betas": ("", f"In the first stage. {_BETAS}"),
        "settings.vae_optimiser.clip": ("", f"In the first stage. {_CLIP}"),
    },
    "Losses": {
        "settings.separation": (
            "",
            "Weight of the overlap between skull and missing bone: more keeps them apart, at the cost of shape.",
        ),
        "settings.kl_weight": (
            "per nat",
            "Pull of the latents to the normal prior: more gives better samples, less gives sharper reconstructions.",
        ),
        "settings.penalty": (
            "",
            "Weight of the gradient penalty: more keeps the critic smooth, too much makes it blind.",
        ),
        "settings.alpha": ("", "Weight of the adversarial terms: more is sharper and less steady."),
        "settings.beta": ("", "Weight of the likelihood: more keeps reconstructions true and adversaries quiet."),
        "settings.likelihood": (
            "nats",
            "Nats that a Dice loss of 1 stands for: more values reconstruction above the KL terms.",
        ),
        "settings.margin": (
            "nats",
            "KL from which samples count as told apart: it must lie a little above real cases'; 0 measures it.",
        ),
        "settings.margin_factor": (
            "",
            "How far above the KL of real cases a measured margin lies: more lets the encoder push samples further.",
        ),
        "settings.fake_kl_weight": (
            "per nat",
            "Weight of the KL of generated cases: more lets the encoder tell them from real ones by it.",
        ),
        "settings.exponent": (
            "",
            "Sharpness of the exponentiated ELBO: more forgets samples sooner that are told apart well.",
        ),
        "settings.fake_reconstruction": (
            "",
            "Weight of the decoder's reconstruction of its own samples: more is steadier and smoother.",
        ),
    },
    "Stages": {
        "settings.critic_steps": (
            "batches",
            "Batches of the critic for one of the generator: more guide it better, and train it less often.",
        ),
        "settings.vae_steps": (
            "batches",
            "Length of the VAE's stage; the adversarial ones begin from what it has reached.",
        ),
        "settings.bridge_steps": (
            "batches",
            "Length of the stage on the VAE's latents; what is left of the steps is that on noise.",
        ),
        "settings.warmup_steps": (
            "batches",
            "Batches of plain VAE first: with too few the encoder has nothing to compare samples with.",
        ),
        "settings.autoencoder_steps": (
            "batches",
            "Batches that the autoencoder learns from before it is frozen; the rest belongs to what samples from it.",
        ),
        "settings.measured_batches": (
            "batches",
            "Batches that the spread of the latents is measured on: more measure it better and teach nothing.",
        ),
    },
    "Codebook and prior": {
        "settings.codebook.codes": (
            "codes",
            "Size of the codebook: more codes keep finer shapes, and more of them may stay unused.",
        ),
        "settings.codebook.commitment": (
            "",
            "How strongly the encoder is held to its codes: more settles them sooner and lets them move less.",
        ),
        "settings.codebook.decay": (
            "",
            "Memory of the averages that codes follow: nearer to 1 is steadier and slower.",
        ),
        "settings.codebook.patience": (
            "batches",
            "Batches after which an unused code starts anew: fewer keep more codes in use and move them about.",
        ),
        "settings.prior.width": (
            "channels",
            "Channels of the prior over the codes: more foretells them better and samples more slowly.",
        ),
        "settings.prior.layers": (
            "layers",
            "Layers of the prior: more see further across the head before they choose a code.",
        ),
        "settings.prior.optimiser.learning_rate": ("", f"Of the prior. {_RATE}"),
        "settings.prior.optimiser.betas": ("", f"Of the prior. {_BETAS}"),
        "settings.prior.optimiser.clip": ("", f"Of the prior. {_CLIP}"),
    },
    "Diffusion": {
        "settings.denoiser.widths": (
            "channels",
            "Channels of each level of the U-Net: wider learns more, another level sees further.",
        ),
        "settings.denoiser.attention": (
            "",
            "Levels at which every place sees every other: more knows the whole head, and takes memory.",
        ),
        "settings.denoiser.residual_units": ("units", "More blocks a level learn more, more slowly."),
        "settings.denoiser.groups": ("groups", _GROUPS),
        "settings.denoiser.timesteps": (
            "steps",
            "Levels of noise: more are finer, and a sampler can then take more steps.",
        ),
        "settings.denoiser.schedule": (
            "",
            "How noise rises, by MONAI's name: linear_beta, scaled_linear_beta, sigmoid_beta, cosine.",
        ),
        "settings.denoiser.inference_steps": (
            "steps",
            "Steps of the sampler, which divide the timesteps: more are truer, and take that much longer a case.",
        ),
        "settings.denoiser.average": (
            "",
            "Memory of the average of the weights that samples come from: nearer to 1 is smoother and lags behind.",
        ),
        "settings.denoiser.optimiser.learning_rate": ("", f"Of the U-Net. {_RATE}"),
        "settings.denoiser.optimiser.betas": ("", f"Of the U-Net. {_BETAS}"),
        "settings.denoiser.optimiser.clip": ("", f"Of the U-Net. {_CLIP}"),
    },
    "Augmentation": {
        "augmentation.masked": (
            "share",
            "With masking: share of cases that get a new defect; more varies defects and keeps fewer real ones.",
        ),
        "augmentation.warped": (
            "share",
            "With registration: share of cases warped towards another skull; more varies heads and keeps fewer.",
        ),
        "augmentation.warps": (
            "pairs",
            "With registration: partners of each case; more varies heads, and takes longer before the first step.",
        ),
        "augmentation.registration.alpha": (
            "",
            "Smoothness of the warps: more is smoother and stays nearer to the case's own head.",
        ),
        "augmentation.registration.levels": (
            "times",
            "How often images are made smaller, coarse to fine: a coarser start finds larger differences.",
        ),
        "augmentation.registration.iterations": ("steps", "Steps a level: more bring the case nearer to its partner."),
        "augmentation.registration.affine_iterations": (
            "steps",
            "Steps that turn and scale the head before it is bent; 0 leaves it in its place.",
        ),
        "augmentation.registration.learning_rate": (
            "half grids",
            "Size of a step of the registration: larger warps further, until it folds.",
        ),
    },
    "Split": {
        "split.seed": ("", "Another seed draws other skulls for validation and test."),
        "split.validation": (
            "share",
            "Share of the skulls that figures are watched on: more judges better and teaches less.",
        ),
        "split.test": (
            "share",
            "Share of the skulls that nothing sees before the last figures: more judges better and teaches less.",
        ),
        "split.same_person": ("", 'Skulls that are one person go to training together: [["011", "042"]].'),
    },
    "Reports and previews": {
        "report": ("batches", "Batches between two points of the loss curves."),
        "validate": ("batches", "Batches between two validations: fewer see trouble sooner and cost time."),
        "checkpoint": ("batches", "Batches between checkpoints: so much is lost at most if the run is killed."),
        "preview": ("batches", "Batches between previews, which cost a few samples each."),
        "previews": ("cases", "Cases shown at each preview; more take longer to sample."),
        "kept_previews": ("previews", "Previews that stay on disk; older ones are thinned out."),
    },
    "Machine": {
        "precision": ("", "16-mixed or bf16-mixed halve the memory on a GPU; 32-true is exact everywhere."),
        "accelerator": ("", "What it is computed on: auto takes a GPU if there is one; cpu, cuda or mps name it."),
        "devices": ("devices", "GPUs that train together; the batch counts for each of them."),
        "strategy": ("", "How several devices share the work, in Lightning's words; auto does."),
        "threads": ("threads", "Processor threads of each operation; 0 leaves it to torch, 1 leaves room for others."),
        "workers": (
            "processes",
            "Processes that prepare batches: some hide the time of augmentation, each takes memory.",
        ),
    },
}
