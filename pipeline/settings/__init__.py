"""What the user chose: params.yaml, the names in it, and where files lie."""
