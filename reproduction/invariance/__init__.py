"""Tables 4 and 5: scale and geometric invariance."""
