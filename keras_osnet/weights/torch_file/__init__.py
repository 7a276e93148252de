"""Torch checkpoint files, read and written without torch and without trust.

`reader` takes a file apart: `containers` knows the zip and the legacy format (`zip_entries` the
zip's entries), `pickle_machine` interprets the pickle inside with the `objects` that
`allowed_names` permits and nothing else, and `arrays` turns them into numpy arrays. `writer` makes
such a file. Nothing here imports Keras.
"""
