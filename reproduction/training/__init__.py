"""Table 3: training with and without the constraint."""
