"""Read and write torch checkpoint files without torch, and without trusting them.

`reader` takes a file apart, `pickle_machine` interprets the pickle inside with the stand-ins that
`tensors` permits and nothing else, and `tensors` turns them into NumPy arrays. `writer` makes such
a file. Nothing here imports Keras.
"""
