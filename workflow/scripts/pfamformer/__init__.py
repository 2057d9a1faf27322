"""pfamformer: what a protein does, from its sequence alone."""
