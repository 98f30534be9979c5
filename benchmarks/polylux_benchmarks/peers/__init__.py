"""The hand-written side: what a user of each framework would write, and well tuned."""
