"""What de-identified pictures are still good for: what a model learns, what a detector finds, what has changed."""
