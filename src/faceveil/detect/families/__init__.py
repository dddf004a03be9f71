"""Families of networks: what their outputs mean. Pure functions on arrays, one file for each kin.

A family is a small model of settings (strides, anchors, variances ...) with one method, `read`, from the network's
outputs to candidates in pixels of its input. What it is called in a manifest is its field `family`; `choice` lists all.
"""

from faceveil.detect.families.base import Family, Found, Unfit

__all__ = ["Family", "Found", "Unfit"]
