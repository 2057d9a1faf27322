"""The parts of train_throughput.py."""
