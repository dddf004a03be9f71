"""Hiding faces: one file for each method; `paint` owns geometry, overlap and the soft edge."""
