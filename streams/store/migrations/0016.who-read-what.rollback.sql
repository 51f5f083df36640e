DROP TABLE case_access;
DROP FUNCTION stamp_access();
