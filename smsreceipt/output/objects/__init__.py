"""The objects that users see, one module each: their columns, and how they are masked."""
