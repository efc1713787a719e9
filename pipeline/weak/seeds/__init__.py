"""Tags to seeds: the classification network, its class activation maps, its cues."""
