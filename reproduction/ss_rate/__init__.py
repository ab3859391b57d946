"""Table 2 and Figure 2: SS_rate of nine networks."""
