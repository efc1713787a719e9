"""The writers run in environments of their own: they are not to be imported for doctests."""

collect_ignore_glob = ["write_with_*.py"]
