-- What a partner's clients encrypt their connection keys to: its RSA public key, in PEM. Protocol §3.
ALTER TABLE partner_configuration ADD COLUMN IF NOT EXISTS public_key text;
