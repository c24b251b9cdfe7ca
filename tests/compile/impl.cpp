/* The implementation compiled as C++. */
#include "impl.c"
