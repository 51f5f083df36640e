DELETE FROM reference_table WHERE kind = 'calendar';
ALTER TABLE reference_table ADD CHECK (kind IN ('policy', 'directory'));
