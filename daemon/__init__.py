"""What is done: the worker, its adapters, and the command line."""
