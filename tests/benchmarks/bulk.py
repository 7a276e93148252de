"""Bulk embedding of synthetic crops: rate beside the bare engine, memory, and killed runs.

    keras-osnet export --weights synthetic --width 0.25 -o osnet.tflite
    python tests/benchmarks/bulk.py --model osnet.tflite rate --crops 4000 --rounds 5
    python tests/benchmarks/bulk.py --model osnet.tflite memory --crops 20000 50000 100000
    python tests/benchmarks/bulk.py --model osnet.tflite kills --crops 100000

`rate` takes turns: the engine alone on pixels that are in memory, then all of bulk embedding, from
JPEG files to Parquet; the ratio is taken within a round, and the median over the rounds. `memory`
is the most that a process held, for each number of crops, and the slope. `kills` ends a run with
SIGKILL at three moments, resumes it each time, and counts every key of the result; it fails if the
last run has not ended after `--limit` minutes. The crops are 2,000 JPEG files of 256 x 128, listed
as often as needed. `--output`, before the job, keeps the figures as JSON.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

FILES = 2000
SIZE = (256, 128)
BATCH = 32


def write_crops(folder):
    """Write the JPEG files: 200 synthetic people, each at ten brightnesses."""
    from keras_osnet.synthetic import synthetic_people

    folder.mkdir()
    people = synthetic_people(50, cameras=2, views=2, image_size=SIZE).images
    for index in range(FILES):
        pixels = people[index % len(people)] * (0.7 + 0.03 * (index // len(people)))
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        image.save(folder / f"{index:04}.jpg", quality=90)


def write_list(folder, crops):
    """Write a list of any number of crops, with the usual columns."""
    file = folder / f"{crops}.csv"
    with file.open("w") as opened:
        opened.write("key,path,camera,time,site\n")
        for index in range(crops):
            seconds = f"2026-11-27T{index // 3600 % 24:02}:{index // 60 % 60:02}:{index % 60:02}Z"
            path = f"crops/{index % FILES:04}.jpg"
            opened.write(f"crop-{index:08},{path},{index % 40},{seconds},north\n")
    return file


def one_run(model, listing, folder, rows_per_part):
    """Embed in this process, and print what it took as JSON."""
    from keras_osnet.bulk import embed_to_parquet
    from keras_osnet.runtime import Embedder

    embedder = Embedder(model)
    result = embed_to_parquet(listing, folder, embedder, resume=True, rows_per_part=rows_per_part)
    print(json.dumps({"seconds": result.seconds, "vectors": result.vectors, "MB": peak()}))


def peak():
    """Return the most memory that this process held, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def start(model, listing, output, rows_per_part=20_000):
    """Start a process that embeds a list; the default is that of `embed_to_parquet`."""
    command = [sys.executable, __file__, "--model", model, "run", listing, output, rows_per_part]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)


def finish(process):
    """Return what a run took."""
    text, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"A run ended with status {process.returncode}.")
    return json.loads(text.splitlines()[-1])


def rate(model, folder, crops, rounds):
    """Measure the engine alone and bulk embedding, in turns."""
    from keras_osnet.data import read_image
    from keras_osnet.runtime import Embedder

    listing = write_list(folder, crops)
    embedder = Embedder(model)
    files = sorted((folder / "crops").iterdir())
    pixels = np.stack([read_image(file, embedder.image_size) for file in files[:BATCH]])
    embedder.embed(pixels)  # the first call takes longer
    results = []
    for index in range(rounds):
        started = time.perf_counter()
        for _ in range(crops // BATCH):
            embedder.embed(pixels)
        bare = crops // BATCH * BATCH / (time.perf_counter() - started)
        run = finish(start(model, listing, folder / f"rate-{index}"))
        results.append({"bare": bare, "bulk": run["vectors"] / run["seconds"]})
        print(
            f"round {index + 1}: engine {bare:.0f}/s, bulk {results[-1]['bulk']:.0f}/s", flush=True
        )
    ratio = statistics.median(each["bulk"] / each["bare"] for each in results)
    print(f"bulk reaches {ratio:.1%} of the engine's rate (median of {rounds} rounds)")
    return {"rounds": results, "ratio": ratio}


def memory(model, folder, crops):
    """Measure the memory of runs of several lengths."""
    results = {}
    for count in crops:
        run = finish(start(model, write_list(folder, count), folder / f"memory-{count}"))
        results[count] = run
        print(f"{count:,} crops: {run['MB']:.0f} MB, {count / run['seconds']:.0f}/s", flush=True)
    peaks = [results[count]["MB"] for count in crops]
    slope = float(np.polyfit(crops, peaks, 1)[0]) if len(results) > 1 else None
    if slope is not None:
        print(f"{slope * 1e6:.0f} MB more per million crops")
    files = sum(file.stat().st_size for file in (folder / f"memory-{crops[-1]}").iterdir())
    print(f"{files / crops[-1] / 1e3:.2f} GB on disk per million vectors")
    return {"runs": results, "MB_per_crop": slope, "bytes_per_vector": files / crops[-1]}


def kills(model, folder, crops, limit):
    """Kill a run at three moments, resume it, and look for every crop."""
    from keras_osnet.bulk import VectorDataset

    listing, output = write_list(folder, crops), folder / "killed"
    rows, killed = 0, []
    end = time.monotonic() + 60 * limit
    for share in (0.1, 0.4, 0.7):
        process = start(model, listing, output, max(crops // 50, 1))
        while rows < share * crops:
            time.sleep(0.2)
            if process.poll() is not None:
                raise SystemExit("The run ended before it was killed: give more --crops.")
            if time.monotonic() > end:
                process.kill()
                raise SystemExit(f"{rows:,} rows were written after {limit} minutes.")
            rows = len(VectorDataset(output)) if list(output.glob("part-*")) else 0
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        killed.append(rows)
        print(f"killed with {rows:,} rows written", flush=True)
    run = finish(start(model, listing, output))
    late = time.monotonic() > end
    keys = [
        key
        for batch in VectorDataset(output).batches(["key"])
        for key in batch.column(0).to_pylist()
    ]
    if sorted(keys) != [f"crop-{index:08}" for index in range(crops)]:
        raise SystemExit(f"{len(keys):,} rows with {len({*keys}):,} keys, of {crops:,} crops.")
    minutes = limit - (end - time.monotonic()) / 60
    print(
        f"every one of {crops:,} crops exactly once after {minutes:.1f} min; the last run embedded "
        f"{run['vectors']:,}"
    )
    if late:
        raise SystemExit(f"That took more than {limit} minutes.")
    return {"crops": crops, "killed_at": killed, "last_run": run, "minutes": minutes}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--output", type=Path, help="JSON file of the figures")
    jobs = parser.add_subparsers(dest="job", required=True)
    one = jobs.add_parser("rate")
    one.add_argument("--crops", type=int, default=4000)
    one.add_argument("--rounds", type=int, default=5)
    one = jobs.add_parser("memory")
    one.add_argument("--crops", type=int, nargs="+", default=[20_000, 50_000, 100_000])
    one = jobs.add_parser("kills")
    one.add_argument("--crops", type=int, default=100_000)
    one.add_argument("--limit", type=float, default=50.0, help="minutes")
    one = jobs.add_parser("run")
    one.add_argument("listing", type=Path)
    one.add_argument("folder", type=Path)
    one.add_argument("rows_per_part", type=int)
    arguments = parser.parse_args()
    options = vars(arguments)
    job, model, output = options.pop("job"), options.pop("model"), options.pop("output")
    if job == "run":
        one_run(model, **options)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_crops(folder / "crops")
        figures = {"rate": rate, "memory": memory, "kills": kills}[job](model, folder, **options)
    if output is not None:
        output.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
