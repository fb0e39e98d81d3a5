-- So that a receipt that is deleted is found among the attributions without reading all those of its number.
CREATE INDEX tie_report ON tie (report);
