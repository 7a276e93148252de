"""How synthetic people are drawn: who they are, how they stand, and what a camera makes of it.

`appearance` and `look_alikes` say who somebody is, `attributes` what is labelled of them, `pose`
how they stand; `body`, `head`, `patterns` and `carried` draw them as a `figure`; `places` are
behind them, `obstacles` in front; `camera` is what becomes of light and colours, and `picture` all
of it together. Everything stands on `shapes`.
"""
