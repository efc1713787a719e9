"""PASCAL VOC 2012 with SBD's masks."""
