"""A memory that outlives the process: what a model adds to an archive, finds in it, and says of it."""
