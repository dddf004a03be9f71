"""What makes and measures the models: the build hook's converters, calibration, box factors."""
