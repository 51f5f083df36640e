DROP VIEW worklist_blocked;
