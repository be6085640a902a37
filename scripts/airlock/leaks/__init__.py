"""Finding leaked secrets: rules and engine, sources, what is accepted, and reports."""
