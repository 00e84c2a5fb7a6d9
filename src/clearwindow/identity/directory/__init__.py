"""The directory: lists of enterprises, users, members, operators and tokens, and who a caller is."""
