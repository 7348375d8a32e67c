"""Figures over facts: statistics that people read and nothing decides from. Floats live here."""
