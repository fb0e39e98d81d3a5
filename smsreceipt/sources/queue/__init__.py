"""Receiving from MNS queues: one client a queue, one puller for all of them."""
