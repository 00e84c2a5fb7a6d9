"""Settlement on chain: losses are paid first, then gains out of the partner's deposits. Protocol §7."""
