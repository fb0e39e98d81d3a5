-- Small state of commands: which alarms are firing, how far receipts are handed on. The texts are JSON.
CREATE TABLE note (
    topic TEXT NOT NULL,
    name  TEXT NOT NULL,
    text  TEXT NOT NULL,
    PRIMARY KEY (topic, name)
) STRICT, WITHOUT ROWID;
