"""Alarms: rules judge figures, states change, robots are told. No I/O: all of it is values in and values out."""
