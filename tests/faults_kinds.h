/* The calls of the system that faults_shim.c makes fail, and how each may fail: for faults_tool.c. */
#ifndef FAULTS_KINDS_H
#define FAULTS_KINDS_H
enum { FAULT_SHORT = -1 }; /* fewer bytes than were asked for */
#define FAULT_LIST(X) \
    X(OPEN, "open", EACCES, EINTR, EIO, EMFILE, ENOSPC, EROFS) \
    X(READ, "read", EIO, EINTR, FAULT_SHORT) \
    X(WRITE, "write", EIO, EINTR, ENOSPC, EFBIG, FAULT_SHORT) \
    X(CLOSE, "close", EIO, EINTR, ENOSPC) \
    X(FSYNC, "fsync", EIO, EINTR, EINVAL, ENOSPC) \
    X(FLOCK, "flock", EINTR, ENOLCK, EWOULDBLOCK) \
    X(STAT, "stat", EACCES, EIO, EOVERFLOW) \
    X(FSTAT, "fstat", EIO, EOVERFLOW) \
    X(FCHMOD, "fchmod", EPERM, EIO) \
    X(FCHOWN, "fchown", EPERM) \
    X(RENAME, "rename", EACCES, EIO, ENOSPC, EBUSY) \
    X(UNLINK, "unlink", EACCES, EIO) \
    X(MKDIR, "mkdir", EACCES, ENOSPC, EROFS) \
    X(OPENDIR, "opendir", EACCES, EMFILE, ENOMEM) \
    X(READDIR, "readdir", EIO, EBADF) \
    X(THREAD, "pthread_create", EAGAIN, EPERM) \
    X(MALLOC, "malloc", ENOMEM)
enum {
#define FAULT_ROW(name, ...) FAULT_##name,
    FAULT_LIST(FAULT_ROW)
#undef FAULT_ROW
    FAULT_KINDS
};
#endif
