"""Where deliveries come from. A source hands over bytes and an ack; it never decodes."""
