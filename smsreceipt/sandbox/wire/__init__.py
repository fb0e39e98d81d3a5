"""HTTP, signatures, request checks, faults and rate limits: what all services of the sandbox share."""
