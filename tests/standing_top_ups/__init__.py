"""Standing instructions that top a partner's account up."""
