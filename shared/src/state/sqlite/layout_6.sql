-- Outstanding images that take the place of another one go before those that the sink never had.
CREATE INDEX image_changed ON image (pipeline, wanted_epoch, wanted_sequence, retry_at)
    WHERE stage = 1 AND applied_reference IS NOT NULL;
