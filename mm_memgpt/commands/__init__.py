"""What the command line does, one file a command; `mm_memgpt.cli` says how it is called."""
