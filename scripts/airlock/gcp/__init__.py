"""Google Cloud: credentials, Cloud Run, Monitoring; the only room that holds its clients."""
