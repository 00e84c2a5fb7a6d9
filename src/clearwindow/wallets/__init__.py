"""A Go Account as the field's clients know it: a wallet of the coin ``ofc``, its keys, and signing on request."""
