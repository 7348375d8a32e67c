"""Surveillance: what in the tape a person should look at, and why. Nothing is decided here."""
