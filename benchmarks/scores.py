"""Scores with bootstrapped intervals of 1,300 sensors, 7 years of days, 3 products, against pytesmo series by series.

Usage: OMP_NUM_THREADS=1 python benchmarks/scores.py [PYTESMO_SENSORS]

pytesmo's `with_bootstrapped_ci` draws single samples 1,000 times for each of R, bias, MSD, RMSD and ubRMSD; it is timed
on a few sensors and scaled up. Ours gives these with intervals from blocks of time, and besides: slope, ratio of
standard deviations and KGE with theirs, Spearman's and both anomaly R without, effective samples, differences of
products with p-values, and means over sensors with intervals over places. Seconds are of the processor. Then the peak
memory of scores streamed 100 sensors at a time, in processes of their own, of 400 and of 1,600 sensors.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pandas as pd
import pytesmo.metrics

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from simulated_series import simulated
from vadose.evaluation import Bootstrap, Tally, per_sensor, summary, temporal_bootstrap

SENSORS, SAMPLES, PRODUCTS, DRAWS, CHUNK = 1300, 2557, 3, 1000, 100
KEY = ["network", "station", "sensor"]
COMPARED = ("pearson_r", "bias", "msd", "rmsd", "ubrmsd")


def chunks(sensors: int, products: int) -> Iterator[dict[str, pd.DataFrame]]:
    """Return simulated tables of a few sensors at a time, each chunk a network of its own."""
    for place in range(sensors // CHUNK):
        tables = simulated(0.7, 0.9, samples=SAMPLES, sensors=CHUNK, products=products, seed=place)
        yield {name: table.assign(network=f"N{place:03d}") for name, table in tables.items()}


def ours() -> float:
    """Seconds for all sensors."""
    scored, drawn, parts, held = 0.0, 0.0, [], []
    for tables in chunks(SENSORS, PRODUCTS):
        start = time.process_time()
        parts.append(pd.concat([per_sensor(table).assign(product=name) for name, table in tables.items()]))
        middle = time.process_time()
        found = temporal_bootstrap(tables, bootstrap=Bootstrap(draws=DRAWS))
        scored, drawn = scored + middle - start, drawn + time.process_time() - middle
        held.append(found.sensors["product 0"].eval("r_low <= 0.7 <= r_high").mean())
    start = time.process_time()
    for _, sensors in pd.concat(parts).groupby("product"):
        summary(sensors, Bootstrap(draws=DRAWS))
    means = time.process_time() - start
    print(f"vadose: {scored:.1f} s scores, {drawn:.1f} s blocks of time, {means:.1f} s means")
    print(f"        {np.mean(held):.1%} of the 90 % intervals of R hold the true one")
    return scored + drawn + means


def theirs(sensors: int) -> float:
    """Seconds for all sensors, from some of them."""
    tables = list(simulated(0.7, 0.9, samples=SAMPLES, sensors=sensors, products=PRODUCTS).values())
    spent = dict.fromkeys(COMPARED, 0.0)
    for table in tables:
        pairs = table[["soil_moisture", "soil_moisture_in_situ"]].to_numpy().reshape(sensors, SAMPLES, 2)
        for pair in pairs:
            x, y = np.ascontiguousarray(pair.T)
            for name in COMPARED:
                start = time.process_time()
                metric = getattr(pytesmo.metrics, name)
                pytesmo.metrics.with_bootstrapped_ci(metric, x, y, alpha=0.1, nsamples=DRAWS)
                spent[name] += time.process_time() - start
    scale = SENSORS / sensors
    parts = ", ".join(f"{name} {seconds * scale:.0f}" for name, seconds in spent.items())
    print(f"pytesmo: {sum(spent.values()):.1f} s for {sensors} sensors; of {SENSORS} (scaled up): {parts} s")
    return scale * sum(spent.values())


def streamed(way: str, sensors: int) -> None:
    """Peak memory of scoring a chunk of sensors at a time."""
    if way == "tally":
        tallies = (Tally.of(tables["product 0"]) for tables in chunks(sensors, 1))
        table = reduce(add, tallies, Tally.empty()).scores()
    else:
        found = []
        for tables in chunks(sensors, 1):
            scores = per_sensor(tables["product 0"])
            intervals = temporal_bootstrap(tables, bootstrap=Bootstrap(draws=200)).sensors["product 0"]
            found.append(scores.merge(intervals[[*KEY, "r_low", "r_high"]], on=KEY))
        table = pd.concat(found)
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024  # ru_maxrss would be the parent's
    print(f"{way}: {len(table)} sensors, {len(table) * SAMPLES:,} samples: peak {peak:.0f} MB", flush=True)


def main(sensors: int) -> None:
    other, own = theirs(sensors), ours()
    print(f"ratio: {other / own:.0f}", flush=True)
    for way in ("tally", "per_sensor and in_time"):
        for number in (400, 1600):
            subprocess.run([sys.executable, __file__, "--stream", way, str(number)], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stream"]:
        streamed(sys.argv[2], int(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
