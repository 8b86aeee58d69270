"""Works out which exports are due and puts one request for each on the queue."""
