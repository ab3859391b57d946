"""The paper held against measurements: a room per experiment, each of them runs, reads, draws and says."""
