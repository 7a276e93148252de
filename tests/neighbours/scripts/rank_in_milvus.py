"""Rank the 640 real images in a gallery in Milvus.

    rank_in_milvus.py PACKAGE TESTS ADDRESS VECTORS

PACKAGE and TESTS are added to the path; VECTORS is the data set of the images.
"""

import json
import sys

sys.path[:0] = sys.argv[1:3]

from pku_gallery import ranking_of  # noqa: E402

from keras_osnet.gallery import Gallery  # noqa: E402

with Gallery.open(f"{sys.argv[3]}/pku") as gallery:
    gallery.add_dataset(sys.argv[4])
    print(json.dumps({"ranking": ranking_of(gallery)}))
