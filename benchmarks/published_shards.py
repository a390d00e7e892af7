"""How fast published shards are decoded on one core, beside a decompressor alone and beside tf.data.

Usage: OMP_NUM_THREADS=1 python benchmarks/published_shards.py [RECORDS]

The shard has the release's shape: 60 images of 512 x 512 and its scalars in each record, compressed with gzip; the
images are simulated. Every way is run in turn, several times over, and the best of each is told, by processor time.
tf.data parses the same fifteen images with `parse_single_example`, as the release's script does.
"""

import importlib
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from published_writer import delimited, example, write_shard
from vadose.batchu2022 import features as published
from vadose.batchu2022.inflate import inflater, installed
from vadose.batchu2022.records import TFRecord, records
from vadose.batchu2022.shards import examples

IMAGES = 60
COARSE = ("modis", "cgls", "aster", "unnamed")
REPEATS = 4
BANDS = (*published.IMAGES, "sentinel_2_B5")
"""Fifteen images: the paper's fourteen and one more."""


def simulated_images(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Sixty images as their products are: speckled radar and a smooth angle, optics of 10 and 20 m, coarse maps."""
    named = [name for name in published.FEATURES if name.startswith(("sentinel_1_m", "sentinel_2_m"))]
    coarse = ["modis_leaf_area_Lai", "modis_leaf_area_Fpar", "aster_B13", "aster_B14", "cgls_lc_grass-coverfraction"]
    names = [*BANDS, *named, *coarse, *(f"unnamed_{number}" for number in range(IMAGES))][:IMAGES]
    ground = _smooth(rng, 8)
    return {name: np.round(_image(name, ground, rng)).astype(np.int64) for name in names}


def _image(name: str, ground: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if name == "nasa_dem_elevation":
        return _coarser(400 + 60 * ground, 3)
    if name.startswith(("soil_grids", *COARSE)):
        return _coarser(rng.uniform(60, 200) + 15 * rng.normal(size=ground.shape), 25)
    level = rng.uniform(60, 180)
    if name.endswith("angle"):
        return np.broadcast_to(np.linspace(level, level + 6, ground.shape[1]), ground.shape)
    if name.startswith("sentinel_1"):
        return np.clip(level + 10 * ground + 6 * rng.normal(size=ground.shape), 0, 255)
    image = np.clip(level + 20 * ground + 8 * _smooth(rng, 3) + 0.5 * rng.normal(size=ground.shape), 0, 255)
    return image if name.endswith(("_B2", "_B3", "_B4", "_B8")) else _coarser(image, 2)


def _smooth(rng: np.random.Generator, pixels: float) -> np.ndarray:
    field = gaussian_filter(rng.normal(size=(published.SIDE, published.SIDE)), pixels)
    return field / field.std()


def _coarser(image: np.ndarray, times: int) -> np.ndarray:
    side = image.shape[0]
    return image[::times, ::times].repeat(times, 0).repeat(times, 1)[:side, :side]


def simulated_record(rng: np.random.Generator) -> bytes:
    scalars = {"sensor_id": "NET__STATION__SENSOR", "timestamp": 1.5e12, "center_lat": 40.0, "center_long": -100.0}
    return example(scalars | {"smap_sm": 60, "gldas_sm": 55, "sm_0_5": 0.2} | simulated_images(rng))


def seconds(run: Callable[[], object]) -> float:
    """Processor time of one run, so that what else runs on the machine counts little."""
    start = time.process_time()
    run()
    return time.process_time() - start


def inflated(path: Path, name: str, step: int = 2**18) -> int:
    """Bytes of a shard, inflated into one buffer that stays in the cache."""
    total, room = 0, memoryview(bytearray(step))
    with inflater(name).open(path) as stream:
        while got := stream.readinto(room):
            total += got
    return total


def decoded(path: Path, kept: int) -> int:
    wanted = (*published.IDENTITY, *published.LABELS, *published.SCALARS, *BANDS)
    return sum(len(one.values) for one in examples(path, wanted, kept=kept))


def tf_data(path: Path) -> int:
    os.environ["CUDA_VISIBLE_DEVICES"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "", "3"
    tf = importlib.import_module("tensorflow")

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    wanted = {name: tf.io.FixedLenFeature((512, 512), tf.int64) for name in BANDS}
    data = tf.data.TFRecordDataset([str(path)], compression_type="GZIP" if path.suffix == ".gz" else "")
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    data = data.with_options(options).map(lambda one: tf.io.parse_single_example(one, wanted), num_parallel_calls=1)
    return sum(len(one) for one in data)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    rng = np.random.default_rng(0)
    different = [simulated_record(rng) for _ in range(3)]
    written = [different[number % 3] + delimited(15, bytes([number % 256])) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        packed = write_shard(Path(folder) / "data-00000-of-00001.tfrecord.gz", written)
        plain = write_shard(Path(folder) / "data-00000-of-00001.tfrecord", written)
        sizes = [path.stat().st_size / count / 1e6 for path in (plain, packed)]
        print(f"{count} records of {sizes[0]:.1f} MB, packed {sizes[1]:.1f} MB")
        ways: dict[str, Callable[[], object]] = {}
        for name in installed():
            ways[f"inflate only, {name}"] = lambda name=name: inflated(packed, name)
        ways["vadose, gz, middle 288"] = lambda: decoded(packed, published.CENTRE)
        ways["vadose, gz, whole 512"] = lambda: decoded(packed, published.SIDE)
        ways["vadose, plain, frames and checksums"] = lambda: sum(isinstance(r, TFRecord) for r in records(plain))
        ways["vadose, plain, middle 288"] = lambda: decoded(plain, published.CENTRE)
        ways["vadose, plain, whole 512"] = lambda: decoded(plain, published.SIDE)
        if importlib.util.find_spec("tensorflow"):
            ways["tf.data, gz"] = lambda: tf_data(packed)
            ways["tf.data, plain"] = lambda: tf_data(plain)
        else:
            print("tf.data: TensorFlow is not installed, so not measured")
        rounds = [{name: count / seconds(run) for name, run in ways.items()} for _ in range(REPEATS)]
    for name in ways:
        print(f"{name:40s}{max(rates[name] for rates in rounds):8.1f} records/s")
    fastest = f"inflate only, {installed()[0]}"
    parts = sorted(rates["vadose, gz, middle 288"] / rates[fastest] for rates in rounds)
    print(f"vadose reaches {', '.join(f'{part:.0%}' for part in parts)} of {installed()[0]} alone, round by round")


if __name__ == "__main__":
    main()
