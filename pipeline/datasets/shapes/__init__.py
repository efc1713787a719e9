"""The embedded data set: synthetic scenes, rendered here."""
