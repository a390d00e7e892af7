"""The scorecard of an evaluation: HTML page, Markdown, CSV, JSON and figures."""
