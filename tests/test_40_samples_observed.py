"""How many samples each source was observed for: of any store, whatever it was made from."""

import numpy as np
import pandas as pd
import pytest

from vadose.dataset import SampleStore, TableMapping, import_table
from vadose.dataset.coverage import observed, shares, shares_text, total
from vadose.dataset.writer import Samples
from vadose.fusion import HistorySpec, InputSpec

HOLDS = InputSpec(pixels=("vv",), cells=("B04", "sentinel2_age", "smap"), history=HistorySpec(("smap",), 2, 10))


def samples(cells: list[list[float]], history: list[list[float]], pixels: list[float]) -> Samples:
    chips = np.full((len(cells), 1, 4, 4), np.nan)
    chips[:, 0, 0, 0] = pixels
    past = np.array(history)[..., np.newaxis]
    return Samples(pd.DataFrame(index=range(len(cells))), np.array(cells), past, chips)


def test_a_value_now_or_before_or_in_one_pixel_counts_and_an_age_does_not():
    nan = np.nan
    one = samples([[nan, 3.0, nan], [0.1, 3.0, nan]], [[nan, 0.2], [nan, nan]], [0.1, nan])
    assert observed(one, HOLDS) == {"sentinel1": 1, "sentinel2": 1, "smap": 1}


def test_a_source_that_no_sample_has_stays_in_the_sum():
    counts = total([{"smap": 0, "dem": 2}, {"smap": 0, "dem": 1}])
    assert shares_text(shares(counts, 4), "samples") == "Observed, of all samples: dem 75%, smap 0%"


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_import_of_a_table_tells_it(tmp_path, share):
    rows = pd.DataFrame({"time": pd.date_range("2020-01-01", periods=8, freq="40D"), "wet": 0.2, "high": 300.0})
    rows = rows.assign(lat=40.0, lon=-96.0, red=np.where(np.arange(8) < 8 * share, 0.1, np.nan))
    rows.to_csv(tmp_path / "t.csv", index=False)
    mapping = TableMapping.model_validate(
        {
            "network": {"value": "N"},
            "station": {"value": "S"},
            "lat": {"column": "lat"},
            "lon": {"column": "lon"},
            "time": {"column": "time"},
            "label": {"column": "wet"},
            "predictors": {"elevation": {"column": "high"}, "B04": {"column": "red", "product": "Sentinel-2 L2A"}},
        }
    )
    made = import_table(tmp_path / "t.csv", mapping, tmp_path / "store")
    assert f"Observed, of all samples: dem 100%, sentinel2 {share:.0%}" in str(made)
    assert SampleStore.open(tmp_path / "store").declaration["made_from"]["coverage"] == {"dem": 1, "sentinel2": share}
