"""Weights files from the Hugging Face Hub, through its own client, verified.

`download` is the way in. `reference` reads `hf://` references, `choice` picks the weights file of a
repository, `client` asks the Hub and explains its answers, `verification` knows what a file must
be.
"""
