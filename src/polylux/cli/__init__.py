"""The command line `polylux`: what can run here, and a demo on real data."""

from polylux.cli._app import main

__all__ = ["main"]
