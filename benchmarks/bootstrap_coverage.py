"""How often 90 % intervals hold the truth: over places by the method used and by others, and in time by blocks.

Usage: OMP_NUM_THREADS=1 python benchmarks/bootstrap_coverage.py places|time [REPLICATES]

Over places: sensors of a place share its departure, and have their own beside it. `alike` is the share of variance
between places. `normal` are Gaussian scores, `R` correlations tanh(1.03 + 0.35 z), skewed and below 1, `failures` the
same with three places in a hundred where the estimate fails. Designs: places of equal size, the real sizes of 84
stations in 47 blocks of one degree, and two between. All seeds are fixed.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from simulated_series import simulated
from vadose.evaluation import Bootstrap, temporal_bootstrap
from vadose.evaluation.blocks import resampled_moments
from vadose.evaluation.metric import pearson_r
from vadose.evaluation.places import each_place_once, over_places

R, DRAWS, LEVEL = 0.7, 500, 0.9
CASES = ((0.9, 2557), (0.9, 1000), (0.8, 1000), (0.8, 365), (0.5, 365), (0.5, 108), (0.0, 365))
DESIGNS = {
    "3 equal": [4] * 3,
    "4 equal": [4] * 4,
    "5 equal": [4] * 5,
    "8 equal": [4] * 8,
    "20 equal": [1] * 20,
    "12 uneven": [10, 5, 5, 3, 2, 2, 1, 1, 1, 1, 1, 1],
    "30 uneven": [20, 8, *[1] * 28],
    "84 stations": [36, 2, 2, *[1] * 44],
}
KINDS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "normal": lambda z, _: z,
    "R": lambda z, _: np.tanh(1.03 + 0.35 * z),
    "failures": lambda z, fails: np.tanh(1.03 + 0.3 * z - 1.2 * fails),
}
Ends = tuple[np.ndarray, np.ndarray]


def values(kind: str, sizes: list[int], alike: float, replicates: int, seed: int) -> np.ndarray:
    """Scores of sensors: (replicates, sensors)."""
    rng, block = np.random.default_rng(seed), np.repeat(np.arange(len(sizes)), sizes)
    place = rng.normal(size=(replicates, len(sizes)))
    z = np.sqrt(alike) * place[:, block] + np.sqrt(1 - alike) * rng.normal(size=(replicates, len(block)))
    return KINDS[kind](z, rng.random((replicates, len(sizes)))[:, block] < 0.03)


def others(scores: np.ndarray, sizes: list[int], seed: int) -> dict[str, Ends]:
    """Intervals of the mean over sensors by methods that are not used."""
    size, count, tail = np.array(sizes, float), len(sizes), (1 - LEVEL) / 2
    share = size / size.sum()
    mean = np.add.reduceat(scores, np.concatenate([[0], np.cumsum(sizes)[:-1]]), axis=1) / size
    value, rng = mean @ share, np.random.default_rng(seed)
    times = rng.multinomial(count, [1 / count] * count, size=DRAWS).astype(float)
    draws = (mean * size) @ times.T / (times @ size)
    few = norm.cdf(np.sqrt(count / (count - 1)) * student.ppf(tail, count - 1))
    part = share * (mean - value[:, np.newaxis])
    error = np.sqrt(np.sum(part**2, axis=1))

    sums = [(mean**k * size**2) @ times.T for k in (2, 1)]
    square = (sums[0] - 2 * draws * sums[1] + draws**2 * (times @ size**2)) / (times @ size) ** 2
    t = (draws - value[:, np.newaxis]) / np.sqrt(np.maximum(square, 1e-14))
    signs = rng.choice(np.sqrt([0.5, 1, 1.5]), size=(DRAWS, count)) * rng.choice([-1, 1], size=(DRAWS, count))
    wild = part @ signs.T
    square = part**2 @ (signs**2).T - 2 * wild * ((part * share) @ signs.T) + wild**2 * np.sum(share**2)
    half_wild = np.quantile(np.abs(wild) / np.sqrt(np.maximum(square, 1e-14)), LEVEL, axis=1) * error
    robust = np.sqrt(np.sum(part**2 / (1 - share), axis=1))
    left = size.sum() - size
    total = size.sum()
    freedom = total**2 / (
        total**2 * np.sum((size / left) ** 2) - 2 * total * np.sum(size**3 / left**2) + np.sum(size**2 / left) ** 2
    )
    half_robust = student.isf(tail, freedom) * robust
    return {
        "percentile": (np.quantile(draws, tail, axis=1), np.quantile(draws, 1 - tail, axis=1)),
        "expanded": (np.quantile(draws, few, axis=1), np.quantile(draws, 1 - few, axis=1)),
        "bootstrap-t": (
            value - np.quantile(t, 1 - tail, axis=1) * error,
            value - np.quantile(t, tail, axis=1) * error,
        ),
        "wild": (value - half_wild, value + half_wild),
        "CR2": (value - half_robust, value + half_robust),
    }


def over_places_table(replicates: int) -> None:
    print(f"{replicates} replicates; held by 90 % intervals, and p below 0.1 where there is no difference")
    names = ("percentile", "expanded", "bootstrap-t", "wild", "CR2", "used", "p < 0.1", "used, places")
    print("kind      alike  design       effective  " + "  ".join(names))
    for kind in KINDS:
        truth = float(np.mean(values(kind, [1] * 400_000, 1.0, 10, 99)))
        for alike in (0.7, 0.3):
            for seed, (design, sizes) in enumerate(DESIGNS.items()):
                scores = values(kind, sizes, alike, replicates, seed)
                ends = others(scores, sizes, seed)
                held = {name: np.mean((low <= truth) & (truth <= high)) for name, (low, high) in ends.items()}
                worth = sum(sizes) ** 2 / np.sum(np.square(sizes))
                ours = used(scores, sizes, truth)
                cells = "  ".join(f"{held[n]:{len(n)}.1%}" for n in names[:5])
                mine = "  ".join(_share(name, value) for name, value in zip(names[5:], ours, strict=True))
                print(f"{kind:9} {alike:5.1f}  {design:12} {worth:9.1f}  {cells}  {mine}", flush=True)


def used(scores: np.ndarray, sizes: list[int], truth: float) -> tuple[float, float, float]:
    """Coverage of the mean over sensors, size of its test at 0.1, and coverage of the mean over places."""
    block = np.repeat(np.arange(len(sizes)), sizes)
    once, held = each_place_once(block), []
    for row in scores - truth:
        found, places = over_places(row, np.ones(len(block)), block), over_places(row, once, block)
        ends, ends_places, p = found.interval(LEVEL), places.interval(LEVEL), found.p()
        held.append([_holds(ends), np.nan if np.isnan(p) else float(p < 0.1), _holds(ends_places)])
    mean = np.mean(held, axis=0)
    return float(mean[0]), float(mean[1]), float(mean[2])


def _share(name: str, value: float) -> str:
    return f"{value:{len(name)}.1%}" if np.isfinite(value) else f"{'none':>{len(name)}}"


def _holds(ends: tuple[float, float]) -> float:
    return np.nan if np.isnan(ends[0]) else float(ends[0] <= 0 <= ends[1])


def in_time_table(series: int) -> None:
    print(f"{series} simulated series, R {R}, {DRAWS} draws, 90 % intervals")
    print("memory  samples  worth  block  R held  bias held  R held, single samples")
    for seed, (memory, samples) in enumerate(CASES):
        tables = simulated(R, memory, samples=samples, sensors=series, seed=seed)
        found = temporal_bootstrap(tables, bootstrap=Bootstrap(draws=DRAWS)).sensors["product 0"]
        blocks = [
            ((found[f"{s}_low"] <= true) & (true <= found[f"{s}_high"])).mean() for s, true in (("r", R), ("bias", 0))
        ]
        rng, held = np.random.default_rng(seed), []
        for _, rows in tables["product 0"].groupby("station"):
            (moments,) = resampled_moments(
                [rows["soil_moisture"].to_numpy()], rows["soil_moisture_in_situ"].to_numpy(), 1, DRAWS, rng
            )
            low, high = np.quantile(pearson_r(moments), [0.05, 0.95])
            held.append(low <= R <= high)
        worth, block = found["n_effective"].median(), found["block"].median()
        shares = f"{blocks[0]:6.1%}  {blocks[1]:9.1%}  {np.mean(held):6.1%}"
        print(f"{memory:6.1f}  {samples:7d}  {worth:5.0f}  {block:5.0f}  {shares}", flush=True)


if __name__ == "__main__":
    table = {"places": over_places_table, "time": in_time_table}[sys.argv[1] if len(sys.argv) > 1 else "places"]
    table(int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
