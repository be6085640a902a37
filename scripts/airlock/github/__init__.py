"""GitHub: the runner's protocol, the event that started a run, the REST API, the sticky comment."""
