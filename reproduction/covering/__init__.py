"""Appendix A: whether N_theta stands in for a true cover."""
