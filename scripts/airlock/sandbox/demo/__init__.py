"""The demo: gate and release, run for real against the local stand-ins, and reported."""
