"""The text of data files: whatever stands in it is read as a plain reading of each line reads it, or refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.errors import VadoseError
from vadose.insitu import text as ismn_text
from vadose.insitu.headers import layout_of
from vadose.insitu.text import parse

PLACE = "NET        NET             Old Farm          43.15000    -2.95670  112.00    0.05    0.05"

times = st.datetimes(np.datetime64("1950-01-01T00:00").item(), np.datetime64("2050-01-01T00:00").item())
values = st.one_of(
    st.integers(-99999, 99999).map(lambda number: f"{number / 1e4:.4f}"),
    st.sampled_from(["-9999", "-9999.0000", "1e-3", "+0.2", "0.1234567890123456789012345678901234567890", ".5", "7."]),
    st.floats(-1e6, 1e6).map(repr),
)
flags = st.sampled_from(["G", "U", "M", "D03,D05", "C01,C02,C03,D01,D02,D03,D04,D05,D06,D07,D08,D09,D10"])
rows = st.lists(st.tuples(times, values, flags, st.sampled_from(["M", "", "OK"])), min_size=1, max_size=30)
blanks = st.sampled_from([" ", "   ", "\t"])


def written(row: tuple, gap: str, layout: str) -> str:
    time, value, flag, origin = row
    stamp = f"{time:%Y/%m/%d %H:%M}"
    return (
        f"{stamp} {stamp} {PLACE}{gap}{value}{gap}{flag} {origin}"
        if layout == "ceop"
        else (f"{stamp}{gap}{value}{gap}{flag} {origin}")
    )


@given(rows, blanks, st.sampled_from(["\n", "\r\n", "\r", "\n\r"]), st.sampled_from(["header", "ceop"]), st.booleans())
def test_every_line_is_read_as_it_stands(rows, gap, end, layout, last) -> None:
    lines = [written(row, gap, layout) for row in rows]
    text = end.join([f"{PLACE} Probe A", *lines] if layout == "header" else lines) + end * last
    found = parse("file", text.encode(), layout_of(text.splitlines()[0]))
    assert list(found.time) == [np.datetime64(f"{row[0]:%Y-%m-%dT%H:%M}", "ns") for row in rows]
    np.testing.assert_array_equal(found.value, [float(row[1]) for row in rows])
    assert [found.flags[place] for place in found.flag] == [row[2] for row in rows]


def test_lines_in_other_columns_are_read_token_by_token() -> None:
    text = f"{PLACE}\n2019/01/01 00:00 0.1 G M\n  2019/01/01  01:00  0.2  D01  M\n\n2019/1/1 02:00 0.3 G M\n"
    found = parse("file", text.encode(), layout_of(PLACE))
    assert found.value.tolist() == [0.1, 0.2, 0.3]
    assert [found.flags[place] for place in found.flag] == ["G", "D01", "G"]
    assert found.time.tolist() == np.arange("2019-01-01T00", "2019-01-01T03", dtype="M8[h]").astype("M8[ns]").tolist()


def test_lines_whose_checksums_agree_are_told_apart(monkeypatch) -> None:
    monkeypatch.setattr(ismn_text, "_MIX", np.uint64(0))
    text = f"{PLACE}\n" + "".join(f"2019/01/01 00:{minute:02}   0.{minute:04} G M\n" for minute in range(60))
    found = parse("file", text.encode(), layout_of(PLACE))
    np.testing.assert_array_equal(found.value, [float(f"0.{minute:04}") for minute in range(60)])


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("2019/02/29 00:00 0.1 G M", "lacks its time"),
        ("2019/01/01 24:00 0.1 G M", "lacks its time"),
        ("2019/01/01 00:60 0.1 G M", "lacks its time"),
        ("2019-01-01 00:00 0.1 G M", "lacks its time"),
        ("1066/10/14 00:00 0.1 G M", "an impossible time"),
        ("2019/01/01 00:00 nan G M", "has a value that is not a number"),
        ("2019/01/01 00:00 inf G M", "has a value that is not a number"),
        ("2019/01/01 00:00 0,1 G M", "has an invalid one"),
        ("2019/01/01 00:00 0.1.2 G M", "has an invalid one"),
        ("2019/01/01 00:00 0.1", "lacks its time, its value or its flag"),
        ("2019/01/01 00:000.1 G M", "lacks its time"),
        ("\0\0\0", "lacks its time"),
    ],
)
@pytest.mark.parametrize("before", [0, 500])
def test_a_line_that_cannot_be_read_is_named(line: str, fault: str, before: int) -> None:
    text = f"{PLACE}\n" + "2019/01/01 00:00 0.1 G M\n" * before + f"{line}\n2019/01/02 00:00 0.2 G M\n"
    with pytest.raises(VadoseError) as told:
        parse("NET/file.stm", text.encode(), layout_of(PLACE))
    assert told.value.context == "ismn: NET/file.stm."
    assert fault in told.value.problem
    assert line[-40:].strip() in told.value.problem


def test_a_line_of_another_place_is_refused() -> None:
    good = f"2019/01/01 00:00 2019/01/01 00:00 {PLACE}   0.1000 G M\n"
    text = good * 3 + good.replace("43.15", "44.15")
    with pytest.raises(VadoseError, match="has another position than the first"):
        parse("file", text.encode(), layout_of(good))


@given(st.binary(max_size=300), st.sampled_from([PLACE, f"2019/01/01 00:00 2019/01/01 00:00 {PLACE} 0.1 G M"]))
def test_any_bytes_are_read_or_refused(content: bytes, first: str) -> None:
    try:
        found = parse("file", f"{first}\n".encode() + content, layout_of(first))
    except VadoseError:
        return
    assert np.isfinite(found.value).all()
    assert not np.isnat(found.time).any()
