/* user.c as C++: the functions have C names. */
#include "user.c"
