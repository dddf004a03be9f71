"""Many files: which inputs, which outputs, workers, report and resume."""
