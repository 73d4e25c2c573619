"""Where in a latent space synthetic cases come from (W24): SD, UD, UDS; each latent from its seed and index alone."""
