/* Every enum of the API is as large as an int, so that this file and an implementation fit together
 * whatever -fshort-enums says to either. */
#include "../../vae.h"
#include "loop.h"

#define INT_SIZED(type) typedef char type##_is_int_sized[sizeof(type) == sizeof(int) ? 1 : -1];
INT_SIZED(vae_status) INT_SIZED(vae_isa) INT_SIZED(vae_table)
INT_SIZED(vae_init) INT_SIZED(vae_bias) INT_SIZED(vae_binarize) INT_SIZED(vae_objective)
INT_SIZED(vae_corrupt) INT_SIZED(vae_optimizer) INT_SIZED(vae_schedule) INT_SIZED(vae_act)
INT_SIZED(vae_choice) INT_SIZED(vae_type) INT_SIZED(vae_purpose)

int main(void) { return loop(); }
