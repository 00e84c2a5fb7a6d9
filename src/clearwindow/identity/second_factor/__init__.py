"""Second factors of operators: codes of an authenticator (TOTP), and recovery codes. Protocol §2."""
