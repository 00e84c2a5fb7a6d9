-- The warnings about an accepted request, so that its repeats have them too. Protocol §2. Empty in older rows.
ALTER TABLE settlement ADD COLUMN warnings text[] NOT NULL DEFAULT '{}';
