"""Writers and readers run in environments of their own: doctests are not to import them."""

collect_ignore_glob = ["write_with_*.py", "read_with_*.py"]
