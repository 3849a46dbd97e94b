/** What Node is started with wherever the programs are shipped or tested; the image has it in its entrypoint. */

/**
 * A young generation that begins with 4 MB and keeps it (program.ts lets it not grow): after the collection at the start
 * it would be too small. In benchmarks 4 MB cost no more CPU than any larger size. One thread beside ours is enough for
 * V8's own work.
 */
export const NODE_FLAGS = ['--min-semi-space-size=4', '--max-semi-space-size=4', '--v8-pool-size=1'] as const;

/**
 * Set by the poller for itself. The first syncs after a start would let V8 raise the limit of the heap to some four times
 * what lives, and pages that become free later stay with V8 until the program has little to do, which one that refreshes
 * never has. With limits of 1.3 times what lives the poller of 573 objects takes some 60 MiB less. The start costs a tenth
 * more CPU for it; from then on garbage costs no more than without (docs/performance.md).
 */
export const SMALL_STEPS_OF_THE_HEAP = '--heap-growing-percent=30';

/**
 * glibc would keep freed memory in an arena for each thread, and ever more of it once large buffers were freed, as when
 * the code cache of the image is read; ours allocate next to nothing at the same time.
 */
export const NODE_ENVIRONMENT = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072' } as const;
