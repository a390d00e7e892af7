"""How often 90 % intervals hold the true R of simulated series: blocks of time against single samples.

Usage: OMP_NUM_THREADS=1 python benchmarks/bootstrap_coverage.py [SERIES]
"""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from simulated_series import simulated
from vadose.evaluation import Bootstrap, in_time
from vadose.evaluation.blocks import drawn
from vadose.evaluation.metric import pearson_r

R, DRAWS = 0.7, 500
CASES = ((0.9, 2557), (0.9, 1000), (0.8, 1000), (0.8, 365), (0.5, 365), (0.5, 108), (0.0, 365))


def main(series: int) -> None:
    print(f"{series} simulated series, R {R}, {DRAWS} draws, 90 % intervals")
    print("memory  samples  worth  block  R held  bias held  R held, single samples")
    for seed, (memory, samples) in enumerate(CASES):
        tables = simulated(R, memory, samples=samples, sensors=series, seed=seed)
        found = in_time(tables, bootstrap=Bootstrap(draws=DRAWS)).sensors["product 0"]
        blocks = [
            ((found[f"{s}_low"] <= true) & (true <= found[f"{s}_high"])).mean() for s, true in (("r", R), ("bias", 0))
        ]
        rng, held = np.random.default_rng(seed), []
        for _, rows in tables["product 0"].groupby("station"):
            (moments,) = drawn([rows["mean"].to_numpy()], rows["soil_moisture"].to_numpy(), 1, DRAWS, rng)
            low, high = np.quantile(pearson_r(moments), [0.05, 0.95])
            held.append(low <= R <= high)
        worth, block = found["n_effective"].median(), found["block"].median()
        shares = f"{blocks[0]:6.1%}  {blocks[1]:9.1%}  {np.mean(held):6.1%}"
        print(f"{memory:6.1f}  {samples:7d}  {worth:5.0f}  {block:5.0f}  {shares}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
