"""The queue service, MNS: queues and the requests about them."""
