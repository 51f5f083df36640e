DROP TABLE input_gap;
DROP TABLE input_position;
