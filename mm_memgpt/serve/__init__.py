"""What a model looks like to people: the demo in a browser, a page a file."""
