"""Matching: the market's rule of price and time as fast as it goes, for experiments.

`terms` says what an event is, `oracle` is the book in plain Python, `kernel` the same book
compiled, `auction` a call auction, `flow` makes events to feed them. All but terms and oracle
need the extra `lab` (numpy, numba); nothing outside this package does, and the market itself
never imports it.
"""
