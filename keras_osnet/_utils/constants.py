"""Pixel statistics that the published weights were trained with."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet mean and standard deviation of red, green and blue in 0–1, as in torchreid."""
