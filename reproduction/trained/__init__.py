"""Two networks with ImageNet weights beside the same networks with random weights."""
