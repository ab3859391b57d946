"""SS_rate of any PyTorch model, and the constraint in any training loop."""
