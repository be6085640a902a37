"""What services import: standard library only, and nothing else of Airlock."""
