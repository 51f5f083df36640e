-- transactional: false
DROP INDEX CONCURRENTLY IF EXISTS dead_letter_of_several_cases;
DROP INDEX CONCURRENTLY IF EXISTS dead_letter_by_case;
