/* Files on Windows: tests/windows_files.sh compiles this with mingw-w64 and runs it under Wine in a
 * temporary folder. Ends with "N passed, N failed".
 *   windows_files              everything below; leaves a folder of pictures
 *   windows_files hold FILE    keeps the right to write FILE until it is killed */
#define VAE_IMPLEMENTATION
#define VAE_ONLY_PORTABLE
#include "../vae.h"
#include "../tools/digits.h"
#include "../tools/picture.h"
#include "../tools/figures.h"
#include "../tools/images.h"

#define NAME "j\xc3\xb6rg"                                 /* jörg */
#define FAR_NAME "\xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80"   /* Japan in its own letters, a smile */

static int passed, failed;

static void check(const char *name, int good, const char *said)
{
    if (good) passed++;
    else failed++;
    printf("%s %s%s%s\n", good ? "ok" : "FAIL", name, good ? "" : ": ", good ? "" : said);
    fflush(stdout);
}

static int holds(const char *path, const char *bytes)
{
    char found[64] = "";
    FILE *file = files_open(path, "rb");
    size_t n = file ? fread(found, 1, sizeof found - 1, file) : 0;
    if (file) fclose(file);
    return file && n == strlen(bytes) && memcmp(found, bytes, n) == 0;
}

static int save(const char *path, const char *bytes, vae_report *report)
{
    return vae_file_save(path, bytes, strlen(bytes), report) == VAE_OK;
}

static int files_in(const char *folder)
{
    files_folder f;
    int n = 0;
    const char *name;
    if (files_list(&f, folder) != 0) return -1;
    while ((name = files_next(&f)) != NULL) n += name[0] != '.';
    files_end(&f);
    return n;
}

/* Digits as pictures, with names of every kind, and read again in the order of their names. */
static void pictures(void)
{
    static const char *const kinds[4] = {"a%02d.png", "z \xce\xb1%02d.png", "\xc3\xa9%02d.PNG",
                                         FAR_NAME "%02d.png"}; /* sorted as bytes */
    static unsigned char pixels[40 * DIGITS_PIXELS];
    char path[200], name[100], error[IMAGES_ERROR];
    const char *wrong = NULL;
    vae_data read;
    files_place a, b;
    int i;
    digits_fill(1, 0, 40, pixels, NULL);
    check("a folder is made", files_make_folder(NAME) == 0 && files_make_folder(NAME) == EEXIST, "");
    check("it is a folder, and the same by another way",
          files_look(NAME, &a) == 0 && a.kind == FILES_FOLDER
          && files_look(".\\" NAME "/../" NAME, &b) == 0 && a.volume == b.volume
          && a.file == b.file, "");
    for (i = 0; i < 40 && !wrong; i++) {
        snprintf(name, sizeof name, kinds[i / 10], i);
        snprintf(path, sizeof path, NAME "/%s", name);
        wrong = picture_save_png(path, pixels + i * DIGITS_PIXELS, DIGITS_WIDTH, DIGITS_HEIGHT, 1);
    }
    check("pictures are saved", !wrong, wrong ? wrong : "");
    check("no other file stands beside them", files_in(NAME) == 40, "");
    i = images_folder(NAME, 0, &read, error);
    check("they are read in the order of their names", i == 1 && read.count == 40
          && memcmp(read.bytes, pixels, sizeof pixels) == 0, error);
    if (i == 1) vae_data_free(&read);
}

/* Names that are no UTF-8, are too long, or are what no file can replace. */
static void names(void)
{
    static char folder[4000];
    vae_report why;
    char path[700], deep[400];
    int i;
    files_place p;
    check("a name that is not UTF-8 is refused with the reason",
          !save("j\xf6rg.txt", "x", &why) && strstr(why.text, "not UTF-8"), why.text);
    check("a folder is not replaced", !save(NAME, "x", &why) && strstr(why.text, "it is a folder"),
          why.text);
    check("a missing folder is told", !save("nowhere/x", "x", &why)
          && strstr(why.text, "no such file or folder"), why.text);
    memset(deep, 'd', 100);
    deep[100] = '/', deep[101] = 0;
    for (folder[0] = 0, i = 0; i < 4; i++) { /* 404 characters */
        strcat(folder, deep);
        if (files_make_folder(folder)) break;
    }
    snprintf(path, sizeof path, "%s" FAR_NAME, folder);
    check("a path of more than 260 characters is written, replaced and read", i == 4
          && save(path, "one", &why) && save(path, "two", &why) && holds(path, "two")
          && files_in(folder) == 1, why.text);
    check("and looked at", files_look(path, &p) == 0 && p.kind == FILES_REGULAR, "");
    memset(folder, 'n', sizeof folder - 1);
    check("a name of 4000 characters is refused", !save(folder, "x", &why), why.text);
}

/* No name at all, and a drive without a folder: where that drive is at, not its top. */
static void drives(void)
{
    vae_report why;
    wchar_t room[VAE__MAX_PATH];
    char drive[3] = "C:", path[20];
    files_folder f;
    files_place a, b;
    check("an empty name is of nothing", files_look("", &a) == 0 && a.kind == FILES_NOTHING
          && files_list(&f, "") == ENOENT && !save("", "x", &why)
          && strstr(why.text, "the path is empty"), why.text);
    if (GetCurrentDirectoryW(VAE__MAX_PATH, room)) drive[0] = (char)room[0];
    snprintf(path, sizeof path, "%sdrive.txt", drive);
    check("a drive is the folder it is at", files_look(drive, &a) == 0 && files_look(".", &b) == 0
          && a.volume == b.volume && a.file == b.file && files_in(drive) == files_in("."), "");
    check("a name behind it stands there", save(path, "x", &why) && holds("drive.txt", "x"),
          why.text);
    check("names begin behind it", files_root(path) == 3 && files_drive(path) == 2
          && files_drive("x/y") == 0 && strcmp(files_between(drive), "") == 0
          && strcmp(files_between("x"), "/") == 0 && strcmp(files_between("x\\"), "") == 0, "");
}

/* Replacing a file that somebody has open. */
static void open_files(void)
{
    vae_report why;
    wchar_t room[VAE__MAX_PATH];
    vae *model = NULL;
    HANDLE other;
    files_place p;
    check("a file is written and replaced", save("f", "old", &why) && save("f", "new", &why)
          && holds("f", "new"), why.text);
    other = CreateFileW(vae__wide("f", room), GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0,
                        NULL);
    check("one that another program keeps open is not replaced, with the reason",
          !save("f", "never", &why) && strstr(why.text, "another program has it open"), why.text);
    check("it keeps its bytes, and nothing is left beside it", holds("f", "new")
          && files_look("f.vae-lock", &p) == 0 && p.kind == FILES_NOTHING, "");
    check("what is denied is told apart: open in another program",
          vae__denied(vae__wide("f", room)) == EBUSY, "");
    CloseHandle(other);
    SetFileAttributesW(vae__wide("f", room), FILE_ATTRIBUTE_READONLY);
    check("... read-only, which Wine replaces all the same",
          vae__denied(vae__wide("f", room)) == EACCES, "");
    SetFileAttributesW(vae__wide("f", room), FILE_ATTRIBUTE_NORMAL);
    check("... a folder", vae__denied(vae__wide(NAME, room)) == EISDIR
          && save("t", "x", &why) && vae__rename("t", NAME) != 0 && errno == EISDIR, why.text);
    check("after that it is replaced", save("f", "newer", &why) && holds("f", "newer"), why.text);
    check("what is no model is refused and closed again",
          vae_load("f", NULL, &model, &why) != VAE_OK && save("f", "free", &why), why.text);
}

static DWORD WINAPI close_later(LPVOID file)
{
    Sleep(300);
    CloseHandle((HANDLE)file);
    return 0;
}

static void locks(void)
{
    vae_report why;
    vae_claim claim, second;
    HANDLE other, thread;
    wchar_t room[VAE__MAX_PATH];
    char words[100];
    memset(&claim, 0, sizeof claim);
    memset(&second, 0, sizeof second);
    other = CreateFileW(vae__wide("f", room), GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0,
                        NULL);
    thread = CreateThread(NULL, 0, close_later, other, 0, NULL);
    check("a file that is open for a moment is waited for", save("f", "late", &why)
          && holds("f", "late"), why.text);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    check("a claim is taken", vae_claim_take(FAR_NAME, &claim, &why) == VAE_OK, why.text);
    snprintf(words, sizeof words, "process %lu is writing it", GetCurrentProcessId());
    check("a second is refused, with the process of the first",
          vae_claim_take(FAR_NAME, &second, &why) == VAE_ERR_OPEN && strstr(why.text, words),
          why.text);
    check("the first writes", vae_claim_save(&claim, "mine", 4, &why) == VAE_OK
          && holds(FAR_NAME, "mine"), why.text);
    vae_claim_drop(&claim);
    check("after it the second writes", vae_claim_take(FAR_NAME, &second, &why) == VAE_OK
          && vae_claim_save(&second, "yours", 5, &why) == VAE_OK, why.text);
    vae_claim_drop(&second);
    check("and its lock is gone", !files_open(FAR_NAME ".vae-lock", "rb"), "");
    {
        FILE *file = files_open("g.vae-lock", "wb");
        if (file) fputs("a letter", file), fclose(file);
    }
    check("another file of the lock's name is neither taken nor changed", !save("g", "x", &why)
          && strstr(why.text, "is not a lock file of yours") && holds("g.vae-lock", "a letter"),
          why.text);
    check("nor is a folder of that name", files_make_folder("k.vae-lock") == 0
          && !save("k", "x", &why) && strstr(why.text, "k.vae-lock is in the way"), why.text);
    /* the temporary of a process that was killed, which its lock names */
    save("h.vae-12345", "half", &why);
    save("h.vae-lock", "vae 12345\n", &why);
    check("what a killed writer left is removed", save("h", "whole", &why) && holds("h", "whole")
          && !files_open("h.vae-12345", "rb") && !files_open("h.vae-lock", "rb"), why.text);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "hold") == 0) {
        vae_report why;
        vae_claim claim;
        memset(&claim, 0, sizeof claim);
        if (vae_claim_take(argv[2], &claim, &why) != VAE_OK) return printf("%s\n", why.text), 1;
        printf("held\n");
        fflush(stdout);
        Sleep(100000);
        return 0;
    }
    pictures();
    names();
    drives();
    open_files();
    locks();
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
