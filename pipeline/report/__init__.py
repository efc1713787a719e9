"""Stage report: what the other stages left behind, read, drawn and laid out on one page."""
