"""What pixels the published weights were trained on; every room that prepares images reads it."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet's mean and standard deviation of red, green and blue in 0–1, the reference's."""
