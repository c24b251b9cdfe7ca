/* files.h: files and folders with names in UTF-8, on every system; for tools.
 *
 *   files_look         what has a name, and which file that is; files_look_open: of a descriptor
 *   files_open         fopen
 *   files_make_folder, files_remove_folder
 *   files_list, files_next, files_end    the names in a folder
 *   files_slash        whether a character parts the names of a path; files_root: where they begin
 *   files_drive        the length of a drive's letter and colon, behind which no slash is needed
 *
 * Names on Windows are UTF-8 too, and may be longer than 260 characters: vae.h makes wide ones of
 * them. Functions return 0, or errno of what failed. C99 and C++11; include vae.h before it, and
 * on Windows with VAE_IMPLEMENTATION, whose room >>files they use there. */

#ifndef FILES_H
#define FILES_H

#ifndef VAE_VERSION
#error "include vae.h before files.h"
#endif

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#define FILES__POSIX 1
#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
#elif defined(_WIN32)
#include <io.h>
#endif

enum { FILES_NOTHING, FILES_REGULAR, FILES_FOLDER, FILES_SPECIAL };

/* What has a name. FILES_SPECIAL is a device or a pipe. Two of one volume and file are the same. */
typedef struct files_place {
    int kind;
    uint64_t volume, file;
} files_place;

typedef struct files_folder {
#ifdef FILES__POSIX
    DIR *at;
#elif defined(_WIN32)
    HANDLE at;
    WIN32_FIND_DATAW entry;
    int begun;
    char name[1024];
#else
    int nothing;
#endif
} files_folder;

static inline int files_slash(char c)
{
#ifdef _WIN32
    if (c == '\\') return 1;
#endif
    return c == '/';
}

static inline size_t files_drive(const char *path)
{
#ifdef _WIN32
    const char letter = (char)(path[0] | 32);
    if (letter >= 'a' && letter <= 'z' && path[1] == ':') return 2;
#endif
    (void)path;
    return 0;
}

/* What stands between a folder and a name in it. "C:" is where the drive C is at: "C:/" its top. */
static inline const char *files_between(const char *folder)
{
    const size_t n = strlen(folder);
    return n && (files_slash(folder[n - 1]) || n == files_drive(folder)) ? "" : "/";
}

/* Where the names of a path may begin: behind the first '/', or "C:" or "//server/folder" of
 * Windows. */
static inline size_t files_root(const char *path)
{
    size_t i = files_drive(path);
#ifdef _WIN32
    if (files_slash(path[0]) && files_slash(path[1])) {
        for (i = 2; path[i] && !files_slash(path[i]);) i++;
        for (i += path[i] != 0; path[i] && !files_slash(path[i]);) i++;
    }
#endif
    return path[i] ? i + 1 : i;
}

#ifdef FILES__POSIX

static inline int files__place(int bad, const struct stat *s, files_place *p)
{
    p->kind = FILES_NOTHING, p->volume = p->file = 0;
    if (bad) return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
    p->kind = S_ISDIR(s->st_mode) ? FILES_FOLDER : S_ISREG(s->st_mode) ? FILES_REGULAR
            : FILES_SPECIAL;
    p->volume = (uint64_t)s->st_dev, p->file = (uint64_t)s->st_ino;
    return 0;
}

static inline int files_look(const char *path, files_place *p)
{
    struct stat s;
    int bad;
    do {
        bad = stat(path, &s);
    } while (bad && errno == EINTR);
    return files__place(bad, &s, p);
}

static inline int files_look_open(int descriptor, files_place *p)
{
    struct stat s;
    int bad = fstat(descriptor, &s);
    return files__place(bad, &s, p);
}

static inline FILE *files_open(const char *path, const char *mode)
{
    FILE *file;
    do {
        errno = 0;
        file = fopen(path, mode);
    } while (!file && errno == EINTR);
    return file;
}

static inline int files_make_folder(const char *path) { return mkdir(path, 0777) ? errno : 0; }
static inline int files_remove_folder(const char *path) { return rmdir(path) ? errno : 0; }

static inline int files_list(files_folder *f, const char *path)
{
    f->at = opendir(path);
    return f->at ? 0 : errno;
}

/* NULL at the end, with errno 0, or on a failure. The name stands until the next call. */
static inline const char *files_next(files_folder *f)
{
    struct dirent *entry;
    errno = 0;
    entry = readdir(f->at);
    return entry ? entry->d_name : NULL;
}

static inline void files_end(files_folder *f) { closedir(f->at); }

#elif defined(_WIN32)

static inline int files__place(HANDLE file, files_place *p)
{
    BY_HANDLE_FILE_INFORMATION about;
    p->kind = FILES_SPECIAL, p->volume = p->file = 0;
    if (GetFileType(file) != FILE_TYPE_DISK || !GetFileInformationByHandle(file, &about)) return 0;
    p->kind = about.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? FILES_FOLDER : FILES_REGULAR;
    p->volume = about.dwVolumeSerialNumber;
    p->file = (uint64_t)about.nFileIndexHigh << 32 | about.nFileIndexLow;
    return 0;
}

static inline int files_look(const char *path, files_place *p)
{
    wchar_t room[VAE__MAX_PATH];
    const wchar_t *name = vae__wide(path, room);
    HANDLE file = !name ? INVALID_HANDLE_VALUE
                : CreateFileW(name, 0, VAE__SHARED, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS, NULL); /* folders too */
    p->kind = FILES_NOTHING, p->volume = p->file = 0;
    if (file == INVALID_HANDLE_VALUE) {
        if (name) (void)vae__refused();
        return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
    }
    (void)files__place(file, p);
    (void)CloseHandle(file);
    return 0;
}

static inline int files_look_open(int descriptor, files_place *p)
{
    return files__place((HANDLE)_get_osfhandle(descriptor), p);
}

static inline FILE *files_open(const char *path, const char *mode)
{
    wchar_t room[VAE__MAX_PATH], wide[8] = {0};
    const wchar_t *name = vae__wide(path, room);
    for (int i = 0; i < 7 && mode[i]; i++) wide[i] = (wchar_t)mode[i];
    return name ? _wfopen(name, wide) : NULL;
}

static inline int files_make_folder(const char *path)
{
    wchar_t room[VAE__MAX_PATH];
    const wchar_t *name = vae__wide(path, room);
    if (name && CreateDirectoryW(name, NULL)) return 0;
    if (name) (void)vae__refused();
    return errno;
}

static inline int files_remove_folder(const char *path)
{
    wchar_t room[VAE__MAX_PATH];
    const wchar_t *name = vae__wide(path, room);
    if (name && RemoveDirectoryW(name)) return 0;
    if (name) (void)vae__refused();
    return errno;
}

static inline int files_list(files_folder *f, const char *path)
{
    wchar_t room[VAE__MAX_PATH];
    char all[VAE__MAX_PATH];
    const wchar_t *name;
    if (!path[0]) return ENOENT; /* as elsewhere, and not the top of the drive */
    if (snprintf(all, sizeof all, "%s%s*", path, files_between(path)) >= (int)sizeof all)
        return ENAMETOOLONG;
    name = vae__wide(all, room);
    f->at = name ? FindFirstFileW(name, &f->entry) : INVALID_HANDLE_VALUE;
    f->begun = 0;
    if (f->at != INVALID_HANDLE_VALUE) return 0;
    if (name) (void)vae__refused();
    return errno;
}

/* NULL at the end, with errno 0, or on a failure. The name stands until the next call. */
static inline const char *files_next(files_folder *f)
{
    if (f->begun && !FindNextFileW(f->at, &f->entry)) {
        if (GetLastError() == ERROR_NO_MORE_FILES) errno = 0;
        else (void)vae__refused();
        return NULL;
    }
    f->begun = 1;
    if (WideCharToMultiByte(CP_UTF8, 0, f->entry.cFileName, -1, f->name, sizeof f->name, NULL,
                            NULL)) return f->name;
    (void)vae__refused();
    return NULL;
}

static inline void files_end(files_folder *f) { (void)FindClose(f->at); }

#else /* C alone */

static inline int files_look(const char *path, files_place *p)
{
    FILE *file = fopen(path, "rb");
    p->kind = file ? FILES_REGULAR : FILES_NOTHING, p->volume = p->file = 0;
    for (; *path; path++) p->file = p->file * 257 + (unsigned char)*path; /* all that C tells */
    if (file) fclose(file);
    return 0;
}
static inline int files_look_open(int descriptor, files_place *p)
{
    (void)descriptor;
    p->kind = FILES_SPECIAL, p->volume = p->file = 0;
    return 0;
}
static inline FILE *files_open(const char *path, const char *mode) { return fopen(path, mode); }
static inline int files_make_folder(const char *path) { (void)path; return ENOENT; }
static inline int files_remove_folder(const char *path) { (void)path; return ENOENT; }
static inline int files_list(files_folder *f, const char *path)
{
    (void)f, (void)path;
    return EINVAL; /* C has no folders */
}
static inline const char *files_next(files_folder *f) { (void)f; errno = 0; return NULL; }
static inline void files_end(files_folder *f) { (void)f; }

#endif

#endif /* FILES_H */
