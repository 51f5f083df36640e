-- What was cleaned does not come back: it followed from no event.
SELECT 1;
