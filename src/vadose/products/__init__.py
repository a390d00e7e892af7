"""Any product at sensors: prediction tables, and gridded files sampled at sensors."""

from vadose.products.described import Product, Reading
from vadose.products.gathered import Gathered, gathered

__all__ = ["Gathered", "Product", "Reading", "gathered"]
