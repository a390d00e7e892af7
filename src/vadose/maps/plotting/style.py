"""Style of map pictures: perceptually uniform colours safe for colour-blind readers, and names of flags."""

from vadose.registry import Quality

MOISTURE = "YlGnBu"
"""Dry yellow to wet blue, darker with moisture (Brewer 2003, safe for colour-blind readers and in print)."""
SPREAD = "magma_r"
DIFFERENCE = "BrBG"
"""Brown for too dry, blue-green for too wet."""
DENSITY = "cividis_r"
BLANK = "#d3d3d0"
"""Cells without a value."""
COMPLETE = "#f3f6f4"
"""Cells without a flag."""
LACKING = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442")
"""Colours of Okabe and Ito (2008), for the combinations of flags."""
OTHERS = "#000000"
"""Remaining combinations of flags."""
NOTICE = "#A33200"


def words(quality: int) -> str:
    """Return the flags of an estimate in words: "no Sentinel-2, short history"; "nothing" for 0."""
    known = [flag.words for flag in Quality if quality & flag]
    unknown = quality & ~sum(Quality)
    return ", ".join(known + ([f"unknown flags {unknown}"] if unknown else [])) or "nothing"
