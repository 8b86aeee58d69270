"""What is compiled for speed, out of the C beside it (`make native`), and by what of Python it is called."""
