"""What every backend must do, as tests that the author of any plugin can run.

The tests are yet to come; this package keeps their place in the distribution and has no names so
far. They will take a selector, run against every capability that its backend claims, compare with
a multiprecision oracle, and be found by pytest as a plugin of its own.
"""
