"""What could go wrong with a training, found in seconds, before anything is paid for."""
