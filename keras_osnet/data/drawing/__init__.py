"""How synthetic people are drawn: who they are, how they stand, and what a camera makes of it.

`appearance` and `look_alikes` say who somebody is, `attributes` what is labelled of them, `pose`
how they stand, `figure`, `head` and `carried` draw them, `places` what is behind, `obstacles` what
is in front, and `camera` what becomes of the colours. All of it stands on `shapes`.
"""
