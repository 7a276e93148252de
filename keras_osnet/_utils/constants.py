"""Pixel statistics of the published weights, and the image tensors that a file can take."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet mean and standard deviation of red, green and blue in 0–1, as in torchreid."""

SMALLEST_STD = 1e-9
"""Far below the deviation of any images; pixels are divided by it."""

PIXEL_RANGES = ("0-255", "0-1", "normalized")
DTYPES = ("uint8", "float32")
LAYOUTS = ("NHWC", "NCHW")
CHANNELS = ("RGB", "BGR")
