"""Generators of skulls and reconstruction networks: trained, watched, sampled, compared.

- ``datasets``      skulls and defects on disk, splits by skull
- ``augmentation``  one transform a file: geometric, registration, deformable masking
- ``generators``    one method a file: VAE, WGAN-GP, VAE/WGAN-GP, IntroVAE, SoftIntroVAE, VQVAE, latent diffusion
- ``sampling``      latents of a generator, by seed and number
- ``synthesis``     sets of generated cases: post-processing, quality, statistics
- ``training``      one loop for all: run folders, checkpoints, events, resume
- ``latent``        encoding, pictures of a latent space, ways through it
- ``study``         networks held against each other on skulls that none has seen
- ``cli``           the commands that this library adds to ``cranial``
- ``workflow``      what the panel does, without a window: processes begun, watched by their folders
- ``scene``         what is shown of it in Slicer's scene
- ``widgets``       the panel
"""
