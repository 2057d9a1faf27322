"""Task data: what other databases say about proteins, made into tables with a split."""
