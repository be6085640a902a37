"""What is accepted although it looks like a secret, and who may say so."""
