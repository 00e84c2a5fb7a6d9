"""The pages of exchanges, which settle on their clients' connections."""
