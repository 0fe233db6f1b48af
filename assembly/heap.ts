/*
 * The allocator: exact-size free lists over a bump pointer.
 *
 * The core asks for few distinct sizes (segments of a table, rings of a log, directories), so a block that was
 * freed waits for the next request of its own size: no headers, no search, no fragmentation within a size.
 *
 *   a line, 64 bytes       side by side, 64 at a time, one list
 *   small, up to 64 KiB    rounded up to 128 bytes, one list per size
 *   large                  rounded up to a power of two, one list per power
 */
const GRAIN: usize = 128
const GRAIN_SHIFT: usize = 7
const MAX_SMALL: usize = 65536
const MAX_BLOCK: usize = 1 << 31
const PAGE: usize = 65536
/** Memory grows by an eighth, and by at least so many pages: each growth may start a garbage collection of the host. */
const GROW_PAGES: usize = 16

/**
 * Blocks of a cache line lie side by side, many on a page: what a search passes through stays in the machine's caches.
 */
const LINE: usize = 64
const LINES_AT_ONCE: usize = 64
/** So much after a block may be read: a search asks for two lines of each group, and a group may be shorter. */
const READ_PAST: usize = LINE

const smallLists = memory.data(<i32>((MAX_SMALL >> GRAIN_SHIFT) + 1) * 4, 16)
const largeLists = memory.data(33 * 4, 16)

let lineList: usize = 0
let top: usize = (__heap_base + GRAIN - 1) & ~(GRAIN - 1)
let bytesInUse: usize = 0
/** How often `allocate` gave 0. */
export let refusals: u32 = 0

function listOf(size: usize): usize {
  if (size <= MAX_SMALL) return smallLists + ((size >> GRAIN_SHIFT) << 2)
  return largeLists + ((32 - clz(<u32>(size - 1))) << 2)
}

function rounded(size: usize): usize {
  if (size <= MAX_SMALL) return (size + GRAIN - 1) & ~(GRAIN - 1)
  return (<usize>1) << (32 - clz(<u32>(size - 1)))
}

/** A block of at least `size` bytes, zeroed and aligned to 128, or to 64 up to that size; 0 when memory cannot grow. */
export function allocate(size: usize): usize {
  if (size > MAX_BLOCK) return refuse()
  if (size <= LINE) return allocateLine()
  size = rounded(size)
  const list = listOf(size)
  const free = load<u32>(list)
  bytesInUse += size
  if (free) {
    store<u32>(list, load<u32>(free))
    memory.fill(free, 0, size)
    return free
  }
  const block = top
  const end = block + size
  const have = <usize>memory.size() * PAGE
  if (end + READ_PAST > have || end < block) {
    const needPages = (end + READ_PAST - have + PAGE - 1) / PAGE
    if (
      end < block ||
      (memory.grow(<i32>max(needPages, max(GROW_PAGES, <usize>memory.size() >> 3))) < 0 &&
        memory.grow(<i32>needPages) < 0)
    ) {
      bytesInUse -= size
      return refuse()
    }
  }
  top = end
  return block
}

function refuse(): usize {
  refusals += 1
  return 0
}

function allocateLine(): usize {
  if (lineList == 0) {
    const lines = allocate(LINE * LINES_AT_ONCE)
    if (lines == 0) return 0
    bytesInUse -= LINE * LINES_AT_ONCE
    for (let at = lines + LINE * LINES_AT_ONCE; at > lines; at -= LINE) {
      store<u32>(at - LINE, <u32>lineList)
      lineList = at - LINE
    }
  }
  const line = lineList
  lineList = load<u32>(line)
  memory.fill(line, 0, LINE)
  bytesInUse += LINE
  return line
}

/** Takes back a block that `allocate(size)` gave; nothing where that was 0. */
export function free(block: usize, size: usize): void {
  if (block == 0) return
  if (size <= LINE) {
    bytesInUse -= LINE
    store<u32>(block, <u32>lineList)
    lineList = block
    return
  }
  size = rounded(size)
  bytesInUse -= size
  const list = listOf(size)
  store<u32>(block, load<u32>(list))
  store<u32>(list, <u32>block)
}

/** Bytes that are allocated and not freed. */
export function allocatedBytes(): usize {
  return bytesInUse
}
