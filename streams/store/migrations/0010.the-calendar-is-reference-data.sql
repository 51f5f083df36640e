-- depends: 0005.the-whole-life-of-a-case

-- Holidays and time zones change with releases of their libraries. A calendar is kept as a policy is,
-- so that the kinds of reference data are no longer two.
ALTER TABLE reference_table DROP CONSTRAINT reference_table_kind_check;
