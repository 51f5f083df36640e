-- depends: 0012.an-index-of-ids-by-source 0013.each-case-is-a-chain 0015.dead-letters-in-part 0016.a-second-person 0016.blocked-cases-on-worklists 0016.dead-letters-by-case 0016.policies-in-force 0016.routings-by-case 0016.smaller-announcements 0016.who-read-what
-- contracts: 0001.the-log-and-its-projections

-- CloudEvents makes an id unique for its source. Workers of 0.1.0 rely on ids that are unique across
-- all sources: until they are gone, an event whose id another source has used is rejected.
ALTER TABLE case_event DROP CONSTRAINT case_event_pkey,
    ADD CONSTRAINT case_event_pkey PRIMARY KEY USING INDEX case_event_by_id_and_source;
