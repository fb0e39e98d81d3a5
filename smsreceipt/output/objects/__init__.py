"""The objects that users see, a module each: the list of their columns, and how they are masked."""
