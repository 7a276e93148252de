"""Embed a list with Ray Data on this machine; print what was done as JSON.

Arguments: folder of keras_osnet, list, folder to write to, model.
"""

import json
import sys

package, images, folder, model = sys.argv[1:]
sys.path.insert(0, package)  # Ray hands it on to its workers

from keras_osnet.bulk import embed_to_parquet  # noqa: E402
from keras_osnet.runtime import Embedder  # noqa: E402

embedder = Embedder(model, pixel_range="0-1", verify=False)
result = embed_to_parquet(images, folder, embedder, engine="ray", resume=True, rows_per_part=500)
print(
    json.dumps(
        {"vectors": result.vectors, "unreadable": result.unreadable, "skipped": result.skipped}
    )
)
