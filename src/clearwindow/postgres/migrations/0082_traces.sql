-- The trace in which a row was written, as W3C's traceparent, so that what follows from it later is in the same trace.
-- A transaction that belongs to one says so with SET LOCAL; all others, and all rows so far, have none.
ALTER TABLE settlement ADD COLUMN traceparent text DEFAULT nullif(current_setting('clearwindow.traceparent', true), '');
ALTER TABLE partner_call ADD COLUMN traceparent text DEFAULT nullif(current_setting('clearwindow.traceparent', true), '');
ALTER TABLE event ADD COLUMN traceparent text DEFAULT nullif(current_setting('clearwindow.traceparent', true), '');
