"""Tags to proxy masks, in three steps: seeds, dsrg, proxy."""
