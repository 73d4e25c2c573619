"""A generator's latent space: encoding, pictures of it in two dimensions, ways from one case to another."""
