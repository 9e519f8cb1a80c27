"""The judge and the guard as a service: many requests, one judge, one batch after the other."""
