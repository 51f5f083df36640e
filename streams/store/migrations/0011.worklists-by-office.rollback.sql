DROP VIEW worklist_proposal;
DROP VIEW my_office;
DROP TABLE office_member;
