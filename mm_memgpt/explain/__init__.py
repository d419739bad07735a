"""What a word rests on: evidence over the photo, drawn on the photo."""
