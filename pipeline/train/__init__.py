"""The dual-branch network and its training (§3.2 to §3.4)."""
