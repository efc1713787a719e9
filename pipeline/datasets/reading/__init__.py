"""What readers of data sets share: downloads, archives, lists, annotations, problems."""
