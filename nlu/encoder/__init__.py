"""The recipe of the encoder: from published weights to models/encoder, in an environment of its own (README.md)."""
