"""The project as a whole: one of one's own beside the clone, a run of it, how long that takes."""
