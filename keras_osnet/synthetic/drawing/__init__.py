"""Draw synthetic people.

`appearance` holds looks and labels of a person, `pose` the skeleton; `figure` puts a person on a
canvas, and `body` and `head` draw one; `places` draws background and obstacles; `camera` takes the
image. Everything is drawn with `shapes`.
"""
