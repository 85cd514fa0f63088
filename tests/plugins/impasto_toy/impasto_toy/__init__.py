"""One thing of each kind that impasto can be extended with."""
