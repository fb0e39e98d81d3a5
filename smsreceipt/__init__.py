"""smsreceipt gets every receipt of Alibaba Cloud SMS and number privacy into a store its user owns."""

__version__ = "0.1.0"
