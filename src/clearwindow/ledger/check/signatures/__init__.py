"""The check of all signatures: every kept signed request is verified again, beside the record that it made."""
