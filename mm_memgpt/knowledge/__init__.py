"""Knowledge from outside the training data: the teacher that a student learns from."""
