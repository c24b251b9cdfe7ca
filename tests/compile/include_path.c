/* Found along -I: run.sh gives it relative and absolute, and from another folder. */
#define VAE_IMPLEMENTATION
#include <vae.h>
#include "loop.h"

int main(void) { return loop(); }
