"""Writing without a file what was stored of its batch, and looking for what is left of it."""
