/* Macros that a program may have before it includes vae.h: of Windows (small, near, interface), X11
 * (Status, None), complex.h (I), Qt (slots, emit), Arduino (bit, round, B0), its own (V, MIN,
 * noinline). Any use of one would not compile, and each keeps its value. So do the compiler's own,
 * which gcc's pragmas change. */
#include <stdio.h>
#include <string.h>

#define small @
#define near @
#define far @
#define interface @
#define min @
#define max @
#define IN @
#define OUT @
#define OPTIONAL @
#define CONST @
#define VOID @
#define ERROR @
#define DELETE @
#define hyper @
#define byte @
#define boolean @
#define pascal @
#define cdecl @
#define rad1 @
#define Status @
#define True @
#define False @
#define None @
#define Bool @
#define Success @
#define Always @
#define Complex @
#define I @
#define complex @
#define imaginary @
#define slots @
#define signals @
#define emit @
#define foreach @
#define forever @
#define check @
#define verify @
#define require @
#define nil @
#define YES @
#define NO @
#define bit @
#define round @
#define sq @
#define PI @
#define B0 @
#define B1 @
#define F @
#define HIGH @
#define LOW @
#define INPUT @
#define OUTPUT @
#define DEFAULT @
#define E @
#define N @
#define M @
#define K @
#define MIN @
#define MAX @
#define ABS @
#define SWAP @
#define TRUE @
#define FALSE @
#define OK @
#define FAIL @
#define EPS @
#define NONE @
#define MASK @
#define ZERO @
#define MEAN @
#define AUTO @
#define LIST @
#define RUN @
#define ROOM @
#define PARTS @
#define V @
#define VI @
#define VM @
#define VL @
#define V_W @
#define V_ADD @
#define V_MUL @
#define V_GET @
#define V_MAX @
#define VI_ADD @
#define VM_OR @
#define noinline @
#define always_inline @
#define unused @
#define cold @
#define weak @
#define cleanup @
#define major @
#define minor @
#define DEBUG @
#define TEST @
#define CHECK @

#ifdef __OPTIMIZE_SIZE__
#define AT_SIZE 1
#else
#define AT_SIZE 0
#endif
#ifdef __OPTIMIZE__
#define AT_ALL 1
#else
#define AT_ALL 0
#endif

#define VAE_IMPLEMENTATION
#include "../../vae.h"

#if defined(__OPTIMIZE_SIZE__) != AT_SIZE || defined(__OPTIMIZE__) != AT_ALL
#error "macros of the compiler have changed"
#endif

#define TEXT(macro) TEXT_OF(macro)
#define TEXT_OF(text) #text
static const char *const macros[] = {
    TEXT(small), TEXT(near), TEXT(far), TEXT(interface), TEXT(min), TEXT(max), TEXT(IN),
    TEXT(OUT), TEXT(OPTIONAL), TEXT(CONST), TEXT(VOID), TEXT(ERROR), TEXT(DELETE), TEXT(hyper),
    TEXT(byte), TEXT(boolean), TEXT(pascal), TEXT(cdecl), TEXT(rad1), TEXT(Status), TEXT(True),
    TEXT(False), TEXT(None), TEXT(Bool), TEXT(Success), TEXT(Always), TEXT(Complex), TEXT(I),
    TEXT(complex), TEXT(imaginary), TEXT(slots), TEXT(signals), TEXT(emit), TEXT(foreach),
    TEXT(forever), TEXT(check), TEXT(verify), TEXT(require), TEXT(nil), TEXT(YES), TEXT(NO),
    TEXT(bit), TEXT(round), TEXT(sq), TEXT(PI), TEXT(B0), TEXT(B1), TEXT(F), TEXT(HIGH),
    TEXT(LOW), TEXT(INPUT), TEXT(OUTPUT), TEXT(DEFAULT), TEXT(E), TEXT(N), TEXT(M), TEXT(K),
    TEXT(MIN), TEXT(MAX), TEXT(ABS), TEXT(SWAP), TEXT(TRUE), TEXT(FALSE), TEXT(OK), TEXT(FAIL),
    TEXT(EPS), TEXT(NONE), TEXT(MASK), TEXT(ZERO), TEXT(MEAN), TEXT(AUTO), TEXT(LIST), TEXT(RUN),
    TEXT(ROOM), TEXT(PARTS), TEXT(V), TEXT(VI), TEXT(VM), TEXT(VL), TEXT(V_W), TEXT(V_ADD),
    TEXT(V_MUL), TEXT(V_GET), TEXT(V_MAX), TEXT(VI_ADD), TEXT(VM_OR), TEXT(noinline),
    TEXT(always_inline), TEXT(unused), TEXT(cold), TEXT(weak), TEXT(cleanup), TEXT(major),
    TEXT(minor), TEXT(DEBUG), TEXT(TEST), TEXT(CHECK),
};
#undef small
#undef near
#undef far
#undef interface
#undef min
#undef max
#undef IN
#undef OUT
#undef OPTIONAL
#undef CONST
#undef VOID
#undef ERROR
#undef DELETE
#undef hyper
#undef byte
#undef boolean
#undef pascal
#undef cdecl
#undef rad1
#undef Status
#undef True
#undef False
#undef None
#undef Bool
#undef Success
#undef Always
#undef Complex
#undef I
#undef complex
#undef imaginary
#undef slots
#undef signals
#undef emit
#undef foreach
#undef forever
#undef check
#undef verify
#undef require
#undef nil
#undef YES
#undef NO
#undef bit
#undef round
#undef sq
#undef PI
#undef B0
#undef B1
#undef F
#undef HIGH
#undef LOW
#undef INPUT
#undef OUTPUT
#undef DEFAULT
#undef E
#undef N
#undef M
#undef K
#undef MIN
#undef MAX
#undef ABS
#undef SWAP
#undef TRUE
#undef FALSE
#undef OK
#undef FAIL
#undef EPS
#undef NONE
#undef MASK
#undef ZERO
#undef MEAN
#undef AUTO
#undef LIST
#undef RUN
#undef ROOM
#undef PARTS
#undef V
#undef VI
#undef VM
#undef VL
#undef V_W
#undef V_ADD
#undef V_MUL
#undef V_GET
#undef V_MAX
#undef VI_ADD
#undef VM_OR
#undef noinline
#undef always_inline
#undef unused
#undef cold
#undef weak
#undef cleanup
#undef major
#undef minor
#undef DEBUG
#undef TEST
#undef CHECK

#include "loop.h"

int main(void) {
    size_t i;
    for (i = 0; i < sizeof macros / sizeof macros[0]; i++)
#ifdef __cplusplus /* whose own headers undefine these two */
        if (strcmp(macros[i], "min") && strcmp(macros[i], "max"))
#endif
        if (strcmp(macros[i], "@"))
            return loop_fail("a macro of the program was changed to", macros[i]);
    return loop();
}
