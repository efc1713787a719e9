"""Who is trained on what: strong and weak lists, and a plan for every variant."""
