"""Speed: polylux against what one would write by hand in the framework itself, timed in pairs.

`polylux bench` runs it. A suite (`train`, `losses`, `dispatch`, `memory`, `scaling`) yields
comparisons and knows the frameworks: a `Pair` of callables that do the same work, an `Amount` of
bytes or calls, or a pair that lives in a process of its own. `peers` holds the hand-written side.
"""
