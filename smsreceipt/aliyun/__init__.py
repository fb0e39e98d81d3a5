"""The client's side of the provider's protocols: requests and answers as values, and the connections they use."""
