"""Weights for the Hugging Face Hub: `folder` writes what `push` sends, `card` its model card."""
