"""The client's side of the provider's wire: requests and answers as values, and one pooled transport."""
