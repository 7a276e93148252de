"""Readers of published datasets and of users' own folders and tables; see `keras_osnet.data`."""
