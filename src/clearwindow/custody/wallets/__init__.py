"""Go Accounts as wallets of the coin ``ofc``, as the field's JavaScript SDK reads them: keys and signing."""
