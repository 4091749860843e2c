"""Cases, by what they compare."""
