"""One page of a whole run: what the other stages measured, read, drawn and laid out."""
