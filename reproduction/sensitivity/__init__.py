"""What moves SS_rate, and what it is held against."""
