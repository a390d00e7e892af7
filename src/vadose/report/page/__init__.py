"""The scorecard as one page that needs nothing beside it: no network, no script, all pictures inside."""

from vadose.report.page.render import page

__all__ = ["page"]
