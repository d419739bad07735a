"""The only attention, the only gate, the resampler and the message passing: parts that every model here is made of."""
