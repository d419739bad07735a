"""Tasks over any backbone: what a row means, what is predicted of it, and how right that is. One file a task."""
