-- SHA-1 of the image as the sink keeps it; NULL: not known, it was written before this was noted.
ALTER TABLE image ADD COLUMN written BLOB;
