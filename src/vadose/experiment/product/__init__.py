"""Any product at sensors: tables of predictions, and gridded files that are sampled where sensors lie."""

from vadose.experiment.product.described import Product, Reading
from vadose.experiment.product.gathered import Gathered, gathered

__all__ = ["Gathered", "Product", "Reading", "gathered"]
