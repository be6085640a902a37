"""Where text comes from: changes, histories, trees, staged files, pull requests, streams.

Every source yields `Piece`s and counts what it read in a `Tally`. Most of what there is to read is
harmless, so sources first ask the engine's sieve, which takes raw blocks of any size; a piece is
made only of the stretches around its hits.
"""
