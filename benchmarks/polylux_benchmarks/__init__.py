"""Speed: polylux against what one would write by hand in the framework itself, timed in pairs.

`polylux bench` runs it. Each comparison is a `Pair` of callables that do the same work; suites
(`train`, `losses`, ...) yield pairs, and know the frameworks; `peers` holds the hand-written side.
"""
