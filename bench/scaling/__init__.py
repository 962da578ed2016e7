"""What the bank does beyond one machine's memory: its tables partitioned or not, and the bounds of one primary."""
