"""Seeds to a segmentation network: region growing, CRF and DSRG's losses."""
