"""Time until the interactive map of a scorecard is drawn, of 5,000 simulated sensors, in Chromium.

Usage: python benchmarks/page.py [SENSORS [SAMPLES]]

Seconds from the start of navigation until all sensors are drawn and the list is filled; then until the series are
unpacked, and of one recomputation of all scores for a single year.
"""

import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from playwright.sync_api import sync_playwright

from test_71_evaluation_explorer import CHROMIUM, content, written


def main(sensors: int = 5000, samples: int = 200) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = written(Path(folder) / "page.html", content(sensors, samples))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable")
            page.goto(path.as_uri())
            page.wait_for_selector("body[data-explorer=ready]", timeout=120_000)
            drawn = page.evaluate("performance.now()")
            metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
            page.wait_for_selector("body[data-series=ready]", timeout=120_000)
            unpacked = page.evaluate("performance.now()")
            again = page.evaluate(
                "(() => { const a = performance.now(), s = document.getElementById('x-years'); s.value = 'only 2018';"
                " s.onchange(); return performance.now() - a; })()"
            )
            size = path.stat().st_size / 1e6
            parts = {"drawn": drawn, "series": unpacked, "one year": again}
            times = ", ".join(f"{name} {spent / 1000:.2f} s" for name, spent in parts.items())
            spent = ", ".join(
                f"{name} {metrics[key]:.2f} s"
                for name, key in (
                    ("processor", "ProcessTime"),
                    ("script", "ScriptDuration"),
                    ("layout", "LayoutDuration"),
                )
                if key in metrics
            )
            print(f"{sensors} sensors, {size:.1f} MB: {times}; until drawn: {spent}")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
