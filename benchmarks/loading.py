"""How fast a sample store gives grouped batches, beside the published shards and beside batches held in memory.

Usage: OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/loading.py

All images are simulated. The same samples lie in gzip shards of the release's shape and in a store; they are read
again from the shards one after the other, and from the store in shuffled batches of a few sensors. Then the network of
the demonstration trains an epoch on batches that are held in memory, that the loader reads anew, and that the loader
gives from the chips it keeps. Every way is run in turn, several times over, by processor time of all threads; ratios
are taken round by round.
"""

import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from published_shards import simulated_images, tf_data
from published_writer import example, write_shard
from vadose.batchu2022 import FEATURES, IMAGES, SIDE, PublishedBatch, import_shards, published_batches
from vadose.dataset import ChipCache, Samples, SampleStore, SampleWriter, ScalingStats, batches
from vadose.fusion import HistorySpec, InputSpec
from vadose.grid import PIXELS_PER_CELL
from vadose.models import Batch, FusionNetwork
from vadose.registry import PREDICTORS
from vadose.simulation import WorldConfig
from vadose.studies.demo import demo_experiment
from vadose.training.batch_io import Labelled
from vadose.training.compute import ComputeConfig
from vadose.training.objective import Labels
from vadose.training.trainer import Trainer
from vadose.variables import SOIL_MOISTURE

Images = dict[str, np.ndarray]
REPEATS = 5
DIFFERENT, SENSORS, MOMENTS = 4, 6, 4
"""Sets of images; sensors of the shards, and samples of each."""
TAUGHT = 24
"""Sensors of the demonstration's samples."""
PREDICTOR = {FEATURES[name].predictor: name for name in IMAGES}


def physical(name: str, images: Images, side: int) -> np.ndarray:
    """Return the middle of an image of published 0-255 units, stretched over what a variable can be."""
    edge, variable = (SIDE - side) // 2, PREDICTORS[name]
    image = images[PREDICTOR[name]][edge : edge + side, edge : edge + side] / 255
    if variable.decibel:
        return 10 ** (3 * image - 2.5)
    low, high = variable.valid_range
    return image * 255 if name == "elevation" else low + image * (high - low)


def written(path: Path, holds: InputSpec, images: list[Images], sensors: int, moments: int) -> SampleStore:
    """Return a store of simulated samples, of which each `len(images)`th has the same chips."""
    side, rng = (1 + 2 * holds.halo) * PIXELS_PER_CELL, np.random.default_rng(1)
    chips = [np.stack([physical(name, one, side) for name in holds.pixels]).astype(np.float32) for one in images]
    sensor = np.repeat(np.arange(sensors), moments)
    index = pd.DataFrame({"network": "SIMULATED", "station": sensor.astype(str), "sensor": "a"}).assign(
        lat=sensor / 10,
        lon=sensor / 5,
        time=pd.Timestamp("2021-01-01") + pd.to_timedelta(np.tile(np.arange(moments), sensors), "D"),
        soil_moisture_in_situ=rng.uniform(0.05, 0.4, sensor.size),
    )
    cells = rng.uniform(0.1, 0.4, (sensor.size, len(holds.cells))).astype(np.float32)
    past = rng.uniform(0.1, 0.4, (sensor.size, holds.history.steps, len(holds.history.variables))).astype(np.float32)
    with SampleWriter.open(path, holds, {"images": "simulated"}, simulated=True) as writer:
        for row in range(sensor.size):
            one = slice(row, row + 1)
            writer.append(Samples(index[one], cells[one], past[one], chips[row % len(chips)][None]))
    return SampleStore.open(path)


def shard_of(path: Path, images: list[Images], sensors: int, moments: int) -> tuple[Path, int]:
    """Return a shard of so many sensors and moments, and its bytes before they are compressed."""
    scalars = {"center_lat": 40.0, "center_long": -100.0, "smap_sm": 60, "gldas_sm": 55, "sm_0_5": 0.2}
    shared = [example(scalars | one) for one in images]
    own = [
        example({"sensor_id": f"NET__STATION-{sensor}__SENSOR", "timestamp": 1.5e12 + 864e5 * moment})
        for sensor in range(sensors)
        for moment in range(moments)
    ]
    records = [shared[row % len(images)] + one for row, one in enumerate(own)]
    return write_shard(path, records), sum(map(len, records))


def rates(count: int, ways: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return samples a second of each way, round by round; the first round warms up and is not told."""
    found = [{name: count / seconds(run) for name, run in ways.items()} for _ in range(REPEATS + 1)][1:]
    return {name: [one[name] for one in found] for name in ways}


def seconds(run: Callable[[], object]) -> float:
    """Processor time of one run, so that what else runs on the machine counts little."""
    start = time.process_time()
    run()
    return time.process_time() - start


def told(found: dict[str, list[float]], reference: str) -> None:
    for name, rate in found.items():
        ratio = sorted(mine / other for mine, other in zip(rate, found[reference], strict=True))
        print(f"{name:44s}{max(rate):8.1f} samples/s  {ratio[0]:6.2f} .. {ratio[-1]:6.2f} x, {np.median(ratio):6.2f}")


def beside_shards(folder: Path, images: list[Images]) -> None:
    packed, size = shard_of(folder / "data-00000-of-00001.tfrecord.gz", images, SENSORS, MOMENTS)
    import_shards([packed], folder / "published", simulated=True)
    store = SampleStore.open(folder / "published")
    needs, count = store.holds, SENSORS * MOMENTS
    held = sum(path.stat().st_size for path in store.path.rglob("*") if path.is_file())
    print(f"store of the shard's samples: 1/{size / held:.1f} of the shard's {size / count / 1e6:.1f} MB a record")

    def from_shards() -> int:
        read = published_batches([packed], IMAGES)
        return sum(len(batch.index) for batch in read if isinstance(batch, PublishedBatch))

    def from_store(grouped: bool) -> int:
        given = batches(store, store.rows, needs, 2 * MOMENTS, shuffle=grouped, per_sensor=MOMENTS)
        return sum(len(batch.rows) for batch in given)

    ways: dict[str, Callable[[], object]] = {
        "shards, gzip": from_shards,
        "store, in order": lambda: from_store(False),
        "store, grouped batches": lambda: from_store(True),
    }
    if importlib.util.find_spec("tensorflow"):
        ways["tf.data, gzip"] = lambda: tf_data(packed)
    if len({run() for run in ways.values()}) > 1 and "tf.data, gzip" not in ways:
        raise SystemExit("The ways do not give as many samples")
    told(rates(count, ways), "tf.data, gzip" if "tf.data, gzip" in ways else "shards, gzip")


def beside_memory(folder: Path, images: list[Images]) -> None:
    experiment = demo_experiment(folder, WorldConfig(period="2021-01-01/2021-02-01"))
    schedule, needs = experiment.schedule, demo_needs()
    store = written(folder / "demo", needs, images, TAUGHT, schedule.per_sensor)
    machine = ComputeConfig(device="cpu")
    scaling = ScalingStats.fit(store, store.rows, needs)
    scaling = ScalingStats({**scaling.mean, SOIL_MOISTURE.name: 0.2}, {**scaling.std, SOIL_MOISTURE.name: 0.1})
    network = FusionNetwork(needs, experiment.network, scaling)
    network.to(memory_format=torch.channels_last)
    student = Trainer(machine.fabric(), network, schedule, machine)
    given = partial(labelled, store, needs, schedule.batch_size, schedule.per_sensor)
    memory, kept = list(given(None)), ChipCache(store, needs.pixels, needs.halo)

    def epoch(lessons: Callable[[], Iterable[Labelled]]) -> object:
        return student.train_epoch(lessons(), 0, len(store))

    ways: dict[str, Callable[[], object]] = {
        "training, batches in memory": lambda: epoch(lambda: memory),
        "training, loader, no chips kept": lambda: epoch(lambda: given(None)),
        "training, loader, chips kept": lambda: epoch(lambda: given(kept)),
        "loader alone, no chips kept": lambda: sum(len(truth.label) for _, truth in given(None)),
    }
    told(rates(len(store), ways), "training, batches in memory")


def labelled(
    store: SampleStore, needs: InputSpec, size: int, per_sensor: int, chips: ChipCache | None
) -> Iterator[Labelled]:
    for one in batches(store, store.rows, needs, size, per_sensor=per_sensor, chips=chips):
        batch = Batch.of_samples(one.pixels, one.cells, one.history, one.times)
        alone = torch.ones(len(one.rows))
        yield batch, Labels(torch.from_numpy(one.label), torch.from_numpy(one.sensors), *3 * [alone])


def demo_needs() -> InputSpec:
    experiment = demo_experiment(Path(), WorldConfig(period="2021-01-01/2021-02-01"))
    asked = experiment.needs
    history = HistorySpec(tuple(asked.history.variables), asked.history.steps, asked.history.step_days)
    return InputSpec(tuple(asked.pixels), tuple(asked.cells), history, experiment.network.encoder.halo)


def main() -> None:
    rng = np.random.default_rng(0)
    torch.set_num_threads(1)
    images = [simulated_images(rng) for _ in range(DIFFERENT)]
    with tempfile.TemporaryDirectory() as folder:
        beside_shards(Path(folder), images)
        beside_memory(Path(folder), images)


if __name__ == "__main__":
    main()
