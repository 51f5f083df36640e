DROP TABLE policy_move;
DROP TABLE publication;
DROP FUNCTION stamp_publication();
