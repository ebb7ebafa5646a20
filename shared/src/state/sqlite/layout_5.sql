-- Why a record or an image was given up, beside the letter that tells it: letters are counted and listed by it.
ALTER TABLE dead_letter ADD COLUMN reason TEXT NOT NULL DEFAULT '';
UPDATE dead_letter SET reason = coalesce(json_extract(letter, '$.failure.reason'), '');
DROP INDEX dead_letter_of_pipeline;
CREATE INDEX dead_letter_of_pipeline ON dead_letter (pipeline, id);
CREATE INDEX dead_letter_by_reason ON dead_letter (pipeline, reason, id);
