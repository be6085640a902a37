"""The engine: text in, detections out, at the speed of one Hyperscan pass.

`first` is that pass: one `database` of all patterns, which `sieve` makes of the rules' regexes so
that none misses; `grammar` reads them, `stretch` cuts them to what says most, `syntax` writes them.
`confirm` looks again where it hit; `scan` puts lines, overlaps, encodings and archives together.
"""
