"""How synthetic people are drawn.

`appearance` is what a person looks like and what is labeled, `pose` how they stand; `figure`
puts a person on a canvas, and `body` and `head` draw one; `places` is what is behind and in front;
`camera` takes the image. Everything is drawn with `shapes`.
"""
