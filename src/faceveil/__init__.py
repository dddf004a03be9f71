"""faceveil de-identifies the faces in pictures, and proves it."""
