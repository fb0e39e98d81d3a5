"""What people see on a terminal. The only maker of rich objects; it never queries and never prints.

Everything here returns text, drawn for a :class:`Look`. Whatever comes from outside enters as plain Text, its active
characters escaped: no markup, no control code, no link.
"""
