/* A free list for CPython's data-stack chunks.
 *
 * meinheld starts a greenlet a request, and CPython (3.11 to 3.14: Python/pystate.c,
 * DATA_STACK_CHUNK_SIZE) gives each new greenlet a 16 KiB chunk from the *arena*
 * allocator: an mmap, the page faults that zero it, and an munmap a request, which is
 * half of what a small Python application costs. This keeps freed chunks in a list.
 *
 * Blocks of any other size (pymalloc's arenas, larger chunks) go to the base allocator
 * untouched. Blocks taken before the pool was installed may be freed into it, and the
 * other way round: both ends forward to the same base, so mixing is safe.
 *
 * The list is guarded by a try-lock that never waits: whoever finds it taken goes to
 * the base allocator. So nothing here depends on the GIL (a thread's chunks are freed
 * by whichever thread deletes its state), nor can a fork in the middle block a child.
 *
 * Process memory only; RAM: at most `limit` blocks of 16 KiB.
 */
#ifndef PH_STACKPOOL_H
#define PH_STACKPOOL_H

#include <Python.h>
#include <stddef.h>
#include <stdint.h>

#define PH_CHUNK_BYTES (16 * 1024)

typedef struct ph_chunk {
    struct ph_chunk *next;
} ph_chunk;

typedef struct ph_stackpool {
    PyObjectArenaAllocator base;
    ph_chunk *free;
    size_t held, limit;
    uint64_t served, passed;
    char busy;
    int installed;
} ph_stackpool;

static inline int ph_stackpool_try(ph_stackpool *pool) {
    return !__atomic_test_and_set(&pool->busy, __ATOMIC_ACQUIRE);
}

static inline void ph_stackpool_leave(ph_stackpool *pool) {
    __atomic_clear(&pool->busy, __ATOMIC_RELEASE);
}

static void *ph_stackpool_alloc(void *ctx, size_t size) {
    ph_stackpool *pool = (ph_stackpool *)ctx;
    if (size == PH_CHUNK_BYTES && ph_stackpool_try(pool)) {
        ph_chunk *block = pool->free;
        if (block != NULL) {
            pool->free = block->next;
            pool->held--;
            pool->served++;
        } else {
            pool->passed++;
        }
        ph_stackpool_leave(pool);
        if (block != NULL) {
            return block;
        }
    }
    return pool->base.alloc(pool->base.ctx, size);
}

static void ph_stackpool_free(void *ctx, void *ptr, size_t size) {
    ph_stackpool *pool = (ph_stackpool *)ctx;
    if (size == PH_CHUNK_BYTES && ptr != NULL && ph_stackpool_try(pool)) {
        int kept = pool->held < pool->limit;
        if (kept) {
            ph_chunk *block = (ph_chunk *)ptr;
            block->next = pool->free;
            pool->free = block;
            pool->held++;
        }
        ph_stackpool_leave(pool);
        if (kept) {
            return;
        }
    }
    pool->base.free(pool->base.ctx, ptr, size);
}

/* Returns 1 when it took effect, 0 when the pool was installed before. */
static int ph_stackpool_install(ph_stackpool *pool, size_t limit) {
    if (pool->installed) {
        return 0;
    }
    PyObjectArenaAllocator own = {pool, ph_stackpool_alloc, ph_stackpool_free};
    pool->limit = limit;
    PyObject_GetArenaAllocator(&pool->base);
    PyObject_SetArenaAllocator(&own);
    pool->installed = 1;
    return 1;
}

#endif
