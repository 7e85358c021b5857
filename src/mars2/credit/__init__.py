"""Credit assignment: rewards → shaping → advantages → training samples. Pure functions of one finished tree."""
