"""The endings of files of weights."""

TORCH_ENDINGS = (".pth", ".pth.tar", ".pyth", ".pt")
WEIGHTS_ENDINGS = (*TORCH_ENDINGS, ".safetensors", ".keras", ".weights.h5")
