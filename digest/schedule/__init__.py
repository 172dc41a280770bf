"""Which verb at which tick. The scheduler only wakes; the database knows what is due."""
