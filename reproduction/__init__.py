"""The paper against measurements: a room per experiment, each with run, read, draw and say."""
