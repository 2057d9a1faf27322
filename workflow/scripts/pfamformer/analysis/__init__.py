"""What the networks have learnt: measures behind figures 7–14, tables 1 and 5."""
