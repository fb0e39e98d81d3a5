-- Added columns of `statement` hold a marker until the body is read for them (see backfill.py). Of a schema that added
-- some: up to which seq no marker is left. Only programs that know the columns of that schema move it on.
CREATE TABLE backfill (
    schema  INTEGER PRIMARY KEY,
    read_to INTEGER NOT NULL
) STRICT;
