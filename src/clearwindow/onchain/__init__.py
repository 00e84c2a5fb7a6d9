"""Settlement on chain: losses first, then gains out of the partner's deposits, behind a chain interface."""
