"""Any product at sensors: tables of predictions, and gridded files that are sampled where sensors lie."""

from vadose.products.described import Product, Reading
from vadose.products.gathered import Gathered, gathered

__all__ = ["Gathered", "Product", "Reading", "gathered"]
