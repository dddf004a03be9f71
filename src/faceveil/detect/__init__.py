"""Finding faces: one file for each detector, and detectors made of detectors."""
