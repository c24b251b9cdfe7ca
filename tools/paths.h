/* ======================================================================================
 * paths.h   what is read and what is written must be different files
 * uses: platform.h screen.h text.h files.h targets.h options.h datasets.h
 * tests: tests/test_tool_runs.sh
 * ==================================================================================== */
#ifndef VAE_TOOL_PATHS_H
#define VAE_TOOL_PATHS_H
#include "platform.h"
#include "screen.h"
#include "text.h"
#include "files.h"
#include "targets.h"
#include "options.h"
#include "datasets.h"

/* What stands behind the last '/', or the colon of a drive. */
static const char *last_part(const char *path)
{
    const char *end = path + strlen(path);
    while (end > path + files_drive(path) && !files_slash(end[-1])) end--;
    return end;
}

/* Whether a file is there, and its place on the disk. */
static int look(const char *path, files_place *p)
{
    int why = strcmp(path, "/dev/stdout") == 0 ? files_look_open(1, p)
            : strcmp(path, "/dev/stderr") == 0 ? files_look_open(2, p) : files_look(path, p);
    if (why) die(FAILED, "%s cannot be looked at: %s", path, strerror(why));
    return p->kind != FILES_NOTHING;
}

static int in_folder(const char *path, const char *folder)
{
    const size_t n = (size_t)(last_part(path) - path);
    char *its = joined(n ? path : ".", "", "");
    files_place a, b;
    int is;
    if (n) its[n] = '\0';
    is = look(its, &a) && look(folder, &b) && a.volume == b.volume && a.file == b.file;
    free(its);
    return is;
}

static int same_file(const char *a, const char *b)
{
    files_place s, t;
    const int there = look(a, &s);
    char *folder;
    int same;
    if (there != look(b, &t)) return 0;
    if (there) return s.volume == t.volume && s.file == t.file && s.kind == FILES_REGULAR;
    folder = joined(b, "", "");
    folder[last_part(b) - b] = '\0';
    same = strcmp(last_part(a), last_part(b)) == 0 && in_folder(a, folder[0] ? folder : ".");
    free(folder);
    return same;
}

/* 2: a file of this name is one of a set in IDX or CIFAR-10's form; 1: a picture, which is read
 * where there is no such set; 0: --data does not read it. */
static int role_in_data(const char *name)
{
    return is_of_a_set(name) ? 2 : images__is_name(name);
}

/* Whether `path` is, or would become, one of the files that are read from a folder. */
static int among_data(const char *path, const char *folder)
{
    files_folder d;
    const char *name;
    int role = in_folder(path, folder) ? role_in_data(last_part(path)) : 0, sets = 0;
    const int listed = files_list(&d, folder) == 0;
    while (listed && (name = files_next(&d)) != NULL) {
        const int its = role_in_data(name);
        char *file = its ? joined(folder, files_between(folder), name) : NULL;
        if (its == 2) sets = 1;
        if (its > role && same_file(path, file)) role = its;
        free(file);
    }
    if (listed) files_end(&d);
    return role == 2 || (role == 1 && !sets);
}

enum { MOST_PATHS = MOST_FLAGS + MOST_MODELS + 3 };

typedef struct named {
    const char *what, *path;    /* "--model", "m.safetensors" */
    int written, folder;
} named;

/* Every file and folder of the command line: out (MOST_PATHS). */
static size_t list_paths(const options *o, named *out)
{
    size_t count = 0;
    const flag *f;
    memset(out, 0, MOST_PATHS * sizeof *out);
    if (o->command & (USES | PROBE | INFO))
        out[count].what = "the model", out[count++].path = o->operand;
    for (int i = 1; i < o->model_count; i++)
        out[count].what = "the model", out[count++].path = o->models[i];
    for (size_t i = 0; (f = flag_at(i)) != NULL; i++) {
        const int read = f->kind == SOURCE;
        named *n = &out[count];
        if (!(f->commands & o->command) || !(read || f->kind == TARGET)) continue;
        n->what = f->name, n->path = *(const char *const *)((const char *)o + f->at);
        if (!n->path || (!read && strcmp(n->path, "-") == 0)) continue;
        if (read && (f->at == AT(data) || f->at == AT(test) ? is_built_in(n->path)
                                                            : strcmp(n->path, "auto") == 0))
            continue;
        n->written = !read && kind_of(n->path) != SPECIAL;
        n->folder = read && is_folder(n->path);
        count++;
    }
    out[count].what = "the output", out[count++].path = "/dev/stdout";
    out[count].what = "the errors", out[count++].path = "/dev/stderr";
    return count;
}

/* Dies if what is written by flag `to` would replace what is named by `other`. */
static void check_pair(const named *to, const named *other)
{
    const int images = strcmp(other->what, "--data") == 0 || strcmp(other->what, "--test") == 0;
    char *beside = images && !other->folder ? labels_beside(other->path) : NULL;
    if (same_file(to->path, other->path))
        die(MISUSED, "%s %s and %s %s are the same file", to->what, to->path, other->what,
            strncmp(other->path, "/dev/std", 8) ? other->path : "of this command");
    if (beside && same_file(to->path, beside))
        die(MISUSED, "%s %s and the labels of %s are the same file", to->what, to->path,
            other->path);
    if (other->folder && among_data(to->path, other->path))
        die(MISUSED, "%s %s and an image of %s %s would be the same file", to->what, to->path,
            other->what, other->path);
    free(beside);
}

/* Looks at each file that is to be written, makes the folders it stands in, and claims it: all that
 * can be refused is refused before anything is written. */
static void claim_targets(const options *o)
{
    named paths[MOST_PATHS];
    const flag *f;
    const char *to_stdout = NULL;
    size_t count;
    for (size_t i = 0; (f = flag_at(i)) != NULL; i++) {
        const char *path;
        int there;
        if (!(f->commands & o->command) || f->kind != TARGET) continue;
        path = *(const char *const *)((const char *)o + f->at);
        if (!path) continue;
        if (f->lo > 0 && is_stdout(path)) {
            if (to_stdout)
                die(MISUSED, "%s and %s would both go to stdout; name a file for one of them",
                    to_stdout, f->name);
            to_stdout = f->name;
            screen.out = stderr;
            continue;
        }
        if (strcmp(path, "-") == 0) die(MISUSED, "%s - is not a file; name one", f->name);
        if (ends_with(f->word, ".png") && !ends_with(path, ".png"))
            die(MISUSED, "%s %s: pictures are PNG files; end the name in .png", f->name, path);
        there = kind_of(path);
        if (there == FOLDER || !last_part(path)[0])
            die(MISUSED, "%s %s is a folder, not a file", f->name, path);
        if (there == SPECIAL && !(f->lo > 0))
            die(MISUSED, "%s %s is a device; name a file", f->name, path);
        if (ends_with(path, ".vae-lock"))
            die(MISUSED, "%s %s has a name for lock files; choose another", f->name, path);
        if (there == NOTHING) make_folders(path);
    }
    count = list_paths(o, paths);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; paths[i].written && k < count; k++)
            if (k != i && !(paths[k].written && k < i)) check_pair(&paths[i], &paths[k]);
    catch_signals();
    for (size_t i = 0; i < count; i++) {
        if (!paths[i].written) continue;
        if (is_folder(paths[i].path)) /* made above */
            die(MISUSED, "%s %s is the folder of another file", paths[i].what, paths[i].path);
        claim_target(paths[i].what, paths[i].path);
    }
}

#endif
