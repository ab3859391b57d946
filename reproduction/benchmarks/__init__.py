"""Speed and memory of SS_rate and of the constraint, from the records of benchmarks/."""
