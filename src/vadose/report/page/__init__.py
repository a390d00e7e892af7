"""The scorecard as one self-contained page: no network, no script, all pictures inside."""

from vadose.report.page.render import page

__all__ = ["page"]
