"""People look at a judge's doubtful rows, and what they say becomes rows to train on."""
