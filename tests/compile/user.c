/* The header alone; the implementation is in impl.c (or impl.cpp, or no_stdio.c). */
#include "../../vae.h"
#include "loop.h"

int main(void) { return loop(); }
