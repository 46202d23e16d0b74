"""The TogetherEndpoint contract: spec, status, conditions and reasons, and the CRD made of them."""
