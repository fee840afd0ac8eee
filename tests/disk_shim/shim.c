/*
 * A disk that can lose power and fail, for one folder: preloaded (LD_PRELOAD) into the real binary.
 *
 * What the process does to the files of DISK_SHIM_FOLDER is done, and also written down in DISK_SHIM_JOURNAL in
 * the order in which it happened: writes with their bytes, changes of length, syncs that returned, files that were
 * made, removed and renamed, and the first bytes of every HTTP answer. From this journal a test builds what a disk
 * may hold when the power is lost at any point of it (tests/it/support/disk.rs).
 *
 * DISK_SHIM_CONTROL is a file with one line that says what fails from now on, read before each operation:
 *
 *     write ENOSPC | write EROFS | write EIO | sync EIO      and a second word such as -wal: only names that end so
 *
 * or that holds a commit, until it says something else: `hold before TEXT` or `hold after TEXT` stops the writer
 * before or after the sync of the write-ahead log that follows a write with this text, and makes the file
 * DISK_SHIM_CONTROL-held.
 *
 * DISK_SHIM_LAZY_LOG=1 makes of `synchronous = full` what SQLite does with `normal`: the write-ahead log is not
 * synced at a commit, but only before its pages are copied into the database.
 *
 * The shared memory of the write-ahead log (-shm) is not written down: SQLite makes it anew after a loss of power.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { WRITE = 1, TRUNCATE, SYNC_BEGUN, SYNCED, SYNC_FAILED, CREATE, UNLINK, RENAME, ANSWER };

enum { DESCRIPTORS = 4096, NAME = 64, ANSWER_BYTES = 64 };

/* The name within the folder, by descriptor; "." is the folder itself, "" anything else. */
static char names[DESCRIPTORS][NAME];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *folder, *control;
static int journal = -1, lazy, log_owes_a_sync, log_descriptor = -1;
/* Where the next sync of the log stops. */
static enum { NOWHERE, BEFORE, AFTER } hold;
/* The last write was the head of a log that begins anew: with `normal`, too, that is synced at once. */
static int log_begins;

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_sendmsg)(int, const struct msghdr *, int);
static int (*real_ftruncate)(int, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);

static void start(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_openat = dlsym(RTLD_NEXT, "openat64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_send = dlsym(RTLD_NEXT, "send");
    real_sendmsg = dlsym(RTLD_NEXT, "sendmsg");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    folder = getenv("DISK_SHIM_FOLDER");
    control = getenv("DISK_SHIM_CONTROL");
    lazy = getenv("DISK_SHIM_LAZY_LOG") != NULL;
    const char *path = getenv("DISK_SHIM_JOURNAL");
    if (folder == NULL || path == NULL) abort();
    journal = real_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (journal < 0) abort();
}

static void begin(void) {
    pthread_once(&once, start);
    pthread_mutex_lock(&lock);
}

static void end(void) {
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
}

/* One record in one append, so that the test may add records of its own. */
static void note(enum kind kind, const char *name, uint64_t offset, const void *bytes, size_t length) {
    int kept = errno;
    struct { uint32_t kind, name; uint64_t offset, length; } head = {kind, (uint32_t)strlen(name), offset, length};
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)name, head.name}, {(void *)bytes, length}};
    if (syscall(SYS_writev, journal, parts, 3) != (ssize_t)(sizeof head + head.name + length)) abort();
    errno = kept;
}

/* The name of a path within the folder, or "". */
static const char *within(const char *path) {
    size_t length = strlen(folder);
    if (strncmp(path, folder, length) != 0) return "";
    if (path[length] == 0) return ".";
    const char *name = path + length + 1;
    return path[length] == '/' && strlen(name) < NAME && strchr(name, '/') == NULL ? name : "";
}

static const char *name_of(int descriptor) {
    return descriptor >= 0 && descriptor < DESCRIPTORS ? names[descriptor] : "";
}

static int ends(const char *name, const char *with) {
    size_t length = strlen(name), tail = strlen(with);
    return length >= tail && strcmp(name + length - tail, with) == 0;
}

static int written_down(const char *name) { return name[0] != 0 && !ends(name, "-shm"); }

enum { WORD = 64 };

/* The three words of the control file; 0 where it says nothing. */
static int read_control(char words[3][WORD]) {
    memset(words, 0, 3 * WORD);
    if (control == NULL) return 0;
    int file = real_open(control, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    char text[128] = "";
    ssize_t length = read(file, text, sizeof text - 1);
    real_close(file);
    if (length <= 0) return 0;
    char *rest = text, *word;
    for (int i = 0; i < 3 && (word = strsep(&rest, " \n")) != NULL; i++) strncpy(words[i], word, WORD - 1);
    return 1;
}

/* The error that an operation has to fail with now, or 0. */
static int trouble(const char *operation, const char *name) {
    char words[3][WORD];
    if (name[0] == 0 || !read_control(words)) return 0;
    const char *error = words[1];
    if (strcmp(words[0], operation) != 0 || !ends(name, words[2])) return 0;
    if (strcmp(error, "ENOSPC") == 0) return ENOSPC;
    if (strcmp(error, "EROFS") == 0) return EROFS;
    return EIO;
}

/* Whether the commit that these bytes belong to is held, and where. */
static void look_for_hold(const char *name, const void *bytes, size_t length) {
    char words[3][WORD];
    if (!ends(name, "-wal") || !read_control(words) || strcmp(words[0], "hold") != 0) return;
    if (memmem(bytes, length, words[2], strlen(words[2])) == NULL) return;
    hold = strcmp(words[1], "before") == 0 ? BEFORE : AFTER;
}

/* Says that a commit is held, and waits while the control file says so. */
static void hold_here(void) {
    char path[512], words[3][WORD];
    snprintf(path, sizeof path, "%s-held", control);
    int file = real_open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) real_close(file);
    while (read_control(words) && strcmp(words[0], "hold") == 0) usleep(1000);
}

/* Lets go of the lock while the disk works: an answer that does not wait for it has to come before in the journal. */
static int sync_now(int descriptor, int (*real)(int)) {
    char name[NAME];
    strcpy(name, name_of(descriptor));
    note(SYNC_BEGUN, name, 0, NULL, 0);
    int error = trouble("sync", name), side = ends(name, "-wal") ? hold : NOWHERE;
    if (side != NOWHERE) hold = NOWHERE;
    pthread_mutex_unlock(&lock);
    if (side == BEFORE) hold_here();
    int result = error ? -1 : real(descriptor);
    if (error) errno = error;
    int kept = errno;
    pthread_mutex_lock(&lock);
    errno = kept;
    note(result == 0 ? SYNCED : SYNC_FAILED, name, 0, NULL, 0);
    if (side == AFTER) {
        pthread_mutex_unlock(&lock);
        hold_here();
        pthread_mutex_lock(&lock);
        errno = kept;
    }
    return result;
}

/* What SQLite does with `normal` before it copies pages of the log into the database. */
static void pay_for_the_log(const char *name) {
    if (log_owes_a_sync && name[0] != 0 && !ends(name, "-wal") && !ends(name, "-shm")) {
        log_owes_a_sync = 0;
        sync_now(log_descriptor, real_fsync);
    }
}

static int sync_file(int descriptor, int (*real)(int)) {
    begin();
    const char *name = name_of(descriptor);
    int result;
    if (!written_down(name)) {
        result = real(descriptor);
    } else if (lazy && ends(name, "-wal") && !log_begins) {
        log_owes_a_sync = 1;
        log_descriptor = descriptor;
        result = 0;
    } else {
        result = sync_now(descriptor, real);
    }
    end();
    return result;
}

int fsync(int descriptor) {
    pthread_once(&once, start);
    return sync_file(descriptor, real_fsync);
}

int fdatasync(int descriptor) {
    pthread_once(&once, start);
    return sync_file(descriptor, real_fdatasync);
}

static int open_file(int at, const char *path, int flags, mode_t mode) {
    begin();
    /* Descriptor-relative paths are none of SQLite's, nor of what is watched here. */
    const char *name = path[0] == '/' ? within(path) : "";
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    int is_new = (flags & O_CREAT) && name[0] != 0 && access(path, F_OK) != 0;
    int error = is_new || (writes && (flags & O_TRUNC)) ? trouble("write", name) : 0;
    /* A file system that has become read-only opens nothing for writing. */
    if (!error && writes && trouble("write", name) == EROFS) error = EROFS;
    int descriptor = -1;
    if (error) {
        errno = error;
    } else {
        descriptor = real_openat(at, path, flags, mode);
    }
    if (descriptor >= 0 && descriptor < DESCRIPTORS) {
        strcpy(names[descriptor], name);
        if (is_new && written_down(name)) note(CREATE, name, 0, NULL, 0);
        else if ((flags & O_TRUNC) && written_down(name)) note(TRUNCATE, name, 0, NULL, 0);
    }
    end();
    return descriptor;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = (mode_t)va_arg(more, int); \
        va_end(more); \
    }

int open(const char *path, int flags, ...) { MODE(flags) return open_file(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_file(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_file(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return open_file(at, path, flags, mode); }

int close(int descriptor) {
    begin();
    if (descriptor >= 0 && descriptor < DESCRIPTORS) names[descriptor][0] = 0;
    int result = real_close(descriptor);
    end();
    return result;
}

static ssize_t write_at(int descriptor, const void *bytes, size_t length, off64_t offset) {
    begin();
    const char *name = name_of(descriptor);
    pay_for_the_log(name);
    int error = trouble("write", name);
    ssize_t result = -1;
    if (error) {
        errno = error;
    } else {
        result = real_pwrite(descriptor, bytes, length, offset);
        if (ends(name, "-wal")) log_begins = offset == 0;
        if (result > 0) look_for_hold(name, bytes, (size_t)result);
        if (result > 0 && written_down(name)) note(WRITE, name, (uint64_t)offset, bytes, (size_t)result);
    }
    end();
    return result;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset) {
    if (name_of(descriptor)[0] != 0) return write_at(descriptor, bytes, length, offset);
    pthread_once(&once, start);
    return real_pwrite(descriptor, bytes, length, offset);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off64_t offset) {
    if (name_of(descriptor)[0] != 0) return write_at(descriptor, bytes, length, offset);
    pthread_once(&once, start);
    return real_pwrite(descriptor, bytes, length, offset);
}

/* Before the bytes leave: what they acknowledge has to be safe by then. */
static void note_answer(const void *bytes, size_t length) {
    if (length < 9 || memcmp(bytes, "HTTP/1.1 ", 9) != 0) return;
    begin();
    note(ANSWER, "", 0, bytes, length < ANSWER_BYTES ? length : ANSWER_BYTES);
    end();
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
    pthread_once(&once, start);
    if (name_of(descriptor)[0] != 0) {
        off64_t offset = lseek64(descriptor, 0, SEEK_CUR);
        ssize_t result = write_at(descriptor, bytes, length, offset);
        if (result > 0) lseek64(descriptor, offset + result, SEEK_SET);
        return result;
    }
    note_answer(bytes, length);
    return real_write(descriptor, bytes, length);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    pthread_once(&once, start);
    if (name_of(descriptor)[0] != 0) {
        ssize_t all = 0;
        for (int i = 0; i < count; i++) {
            ssize_t written = write(descriptor, parts[i].iov_base, parts[i].iov_len);
            if (written < 0) return all > 0 ? all : written;
            all += written;
        }
        return all;
    }
    if (count > 0) note_answer(parts[0].iov_base, parts[0].iov_len);
    return real_writev(descriptor, parts, count);
}

ssize_t send(int descriptor, const void *bytes, size_t length, int flags) {
    pthread_once(&once, start);
    note_answer(bytes, length);
    return real_send(descriptor, bytes, length, flags);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
    pthread_once(&once, start);
    if (message->msg_iovlen > 0) note_answer(message->msg_iov[0].iov_base, message->msg_iov[0].iov_len);
    return real_sendmsg(descriptor, message, flags);
}

static int truncate_file(int descriptor, off64_t length) {
    begin();
    const char *name = name_of(descriptor);
    pay_for_the_log(name);
    int error = trouble("write", name);
    int result = -1;
    if (error) {
        errno = error;
    } else {
        result = real_ftruncate(descriptor, length);
        if (result == 0 && written_down(name)) note(TRUNCATE, name, (uint64_t)length, NULL, 0);
    }
    end();
    return result;
}

int ftruncate(int descriptor, off_t length) { return truncate_file(descriptor, length); }
int ftruncate64(int descriptor, off64_t length) { return truncate_file(descriptor, length); }

int unlink(const char *path) {
    begin();
    const char *name = within(path);
    int error = trouble("write", name) == EROFS ? EROFS : 0;
    int result = -1;
    if (error) {
        errno = error;
    } else {
        result = real_unlink(path);
        if (result == 0 && written_down(name)) note(UNLINK, name, 0, NULL, 0);
    }
    end();
    return result;
}

int rename(const char *old, const char *new) {
    begin();
    const char *name = within(old), *target = within(new);
    int result = real_rename(old, new);
    if (result == 0 && written_down(name)) note(RENAME, name, 0, target, strlen(target));
    end();
    return result;
}
