"""Memory: what was perceived, kept in a bounded bank that the model reads and writes with gradients."""
