# vae.h as build/private.h: all of it but the bodies of its functions and the passes of its kernels,
# so that a file of tests compiles in a fraction of a second and calls build/unit/lib.o.
BEGIN {
    print "#pragma GCC system_header" # no warning of what a file of tests does not use
    print "#define VAE_IMPLEMENTATION"
    print "#define VAE__PRIVATE extern"
}
/^#include VAE_SELF/ { next }
/^(VAE__PRIVATE|VAE_API) / { head = 1 }
head && /\{/ {
    if (!/\}$/) body = 1
    sub(/ *\{.*/, ";")
    head = 0
    print
    next
}
head && /;$/ { head = 0 }
/^#endif \/\* guards A and B \*\// { hidden = 0 }
!body && !hidden { print }
body && /^\}/ { body = 0 }
/^#else \/\* guard B/ { hidden = 1 }
