"""Who this process is among several machines."""

import json
import os


def worker_of_tf_config() -> tuple[int, int]:
    """(index, count) of this process. TensorFlow would take a missing variable for one worker."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        raise ValueError(
            "The environment variable `TF_CONFIG` must say who trains together under "
            "'multi-worker', such as "
            '\'{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}\'. Received: none'
        )
    try:
        config = json.loads(text)
        cluster = [
            (kind, index)
            for kind in ("chief", "worker")
            for index in range(len(config["cluster"].get(kind, [])))
        ]
        task = (config["task"]["type"], int(config["task"]["index"]))
        return cluster.index(task), len(cluster)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            "The environment variable `TF_CONFIG` must be JSON with the hosts in "
            '`cluster["worker"]` (and one in `cluster["chief"]`, if wanted), and with the `type` '
            f"and `index` of one of them in `task`. Received: {text!r}"
        ) from error
