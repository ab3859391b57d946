"""The paper held against measurements: a room per experiment."""
